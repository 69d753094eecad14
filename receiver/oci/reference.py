"""Names by which a registry is asked: its address, repositories and tags."""

import ipaddress
import re
from typing import Self
from urllib.parse import urlsplit

from receiver.document import Value
from receiver.errors import ConfigError, InvalidNameError

# distribution-spec "Pulling manifests"; the length is Distribution's (reference.RepositoryNameTotalLengthMax).
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*\Z")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\Z")
# RFC 1035 section 2.3.4: a label has 1 to 63 characters; Python's resolver raises what is no OSError at others.
HOST_NAME = r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?"
"""A regular expression for names that can be asked for."""
_HOST = re.compile(rf"(?!-){HOST_NAME}(?<!-)(?<!-\.)\Z")
_MAX_REPOSITORY = 255
ADDRESS_SETTING = "REGISTRY_URL"
"""Where a registry's address comes from, unless a command has it as an argument: for messages."""


class Repository(str):
    """A repository name, judged: safe in a URL and in a log line."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Judge ``text``.

        Raises:
            InvalidNameError: not a repository name of the distribution specification.
        """
        if len(text) > _MAX_REPOSITORY or _REPOSITORY.match(text) is None:
            raise InvalidNameError(f"not a repository name: {text[:80]!r}")
        return cls(text)


class Tag(str):
    """A tag, judged."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Judge ``text``.

        Raises:
            InvalidNameError: not a tag of the distribution specification.
        """
        if _TAG.match(text) is None:
            raise InvalidNameError(f"not a tag: {text[:80]!r}")
        return cls(text)


def is_host(text: str) -> bool:
    """Whether it is a DNS name or an IP address, by its characters (RFC 3986 section 3.2.2, no percent-encoding)."""
    if ":" not in text:
        return _HOST.match(text) is not None
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


class RegistryAddress(Value, frozen=True, kw_only=True):
    """Where the registry is: ``scheme`` (``http`` or ``https``), ``host`` and ``port``."""

    scheme: str
    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str, *, insecure: bool, named: str = ADDRESS_SETTING) -> Self:
        """Parse ``oci://host[:port]``, ``http://…`` or ``https://…``; without a scheme, ``oci`` is meant.

        ``named``: how messages call ``text``.

        Raises:
            ConfigError: a path, a query, a user, an unknown scheme, or plain HTTP that was not allowed.
        """
        if "@" in text:
            # Said before anything that quotes the text.
            raise ConfigError(f"{named} holds a user name or password: use ADDON_SYNC_REGISTRY_USERNAME and …_PASSWORD")
        try:
            url = urlsplit(text if "://" in text else f"oci://{text}")
            port, host = url.port, url.hostname or ""
        except ValueError as error:
            raise ConfigError(f"{named} {text!r}: {error}: expected oci://host[:port]") from error
        # urlsplit drops tabs and line ends from the middle of a URL: another host than the one that people read.
        if url.scheme not in {"oci", "http", "https"} or not is_host(host) or port == 0 or not text.isprintable():
            raise ConfigError(f"{named} {text!r}: expected oci://host[:port]")
        if url.path.strip("/") or url.query or url.fragment:
            raise ConfigError(
                f"{named} {text!r}: host and port only; the repositories below addons/ are found from there"
            )
        if url.scheme == "http" and not insecure:
            raise ConfigError(f"{named} {text!r} is plain HTTP: set INSECURE=true if that is meant")
        scheme = url.scheme if url.scheme != "oci" else ("http" if insecure else "https")
        return cls(scheme=scheme, host=host, port=port)

    @property
    def authority(self) -> str:
        """``host[:port]``, an IPv6 host in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash."""
        return f"{self.scheme}://{self.authority}"
