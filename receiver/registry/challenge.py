"""What a 401 asks for, and whether its token service may be asked. Pure.

Grammar: RFC 9110 section 11.6.1, several challenges in one header and commas inside quotes included; tokens: the
distribution project's token specification.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from urllib.parse import urlencode

from receiver.document import Value
from receiver.errors import AccessDenied, ProtocolViolation
from receiver.registry.location import Location, Origin

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'({_WORD})[ \t]*=[ \t]*(?:({_WORD})|"((?:[^"\\]|\\.)*)")(?=[ \t]*(?:,|\Z))')
_SCHEME = re.compile(rf"({_WORD})(?=[ \t,]|\Z)[ \t]*")
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|\Z))")
_SEPARATOR = re.compile(r"[ \t,]*")
_ESCAPE = re.compile(r"\\(.)")
_MAX_HEADER = 16 * 1024
"""Characters: twice what aiohttp takes as one header field."""


class Challenge(Value, frozen=True):
    """One way to authenticate: ``scheme`` and parameter names in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Parse the joined ``WWW-Authenticate`` headers of one answer.

    Raises:
        ProtocolViolation: outside the grammar, or a parameter that stands twice in one challenge.
    """
    if len(header) > _MAX_HEADER:
        raise ProtocolViolation("the registry's WWW-Authenticate header is too long")
    challenges: list[Challenge] = []
    parameters: dict[str, str] = {}
    position = _skip(header, 0)
    while position < len(header):
        parameter = _PARAMETER.match(header, position)
        if parameter is not None and challenges:
            _add(parameters, parameter)
            position = _skip(header, parameter.end())
            continue
        scheme = _SCHEME.match(header, position)
        if scheme is None:
            raise ProtocolViolation("the registry's WWW-Authenticate header cannot be parsed")
        parameters = {}
        challenges.append(Challenge(scheme[1].lower(), parameters))
        position = _skip(header, _after_token68(header, scheme.end()))
    return tuple(challenges)


def choose(challenges: Iterable[Challenge]) -> Challenge:
    """The challenge to answer: Bearer, which keeps the password from the registry, before Basic.

    Raises:
        AccessDenied: neither is offered.
    """
    by_scheme = {challenge.scheme: challenge for challenge in challenges}
    chosen = by_scheme.get("bearer") or by_scheme.get("basic")
    if chosen is None:
        raise AccessDenied(
            "the registry asks for authentication in a way that is not supported (only Bearer and Basic)"
        )
    return chosen


def token_service(challenge: Challenge, *, registry: Origin, allowed: Collection[Origin] = ()) -> Location:
    """Judge the realm of a Bearer challenge: a 401 may name any URL (CVE-2026-48978, CVE-2026-33540; hazards J1 to J5).

    This judges names; what they resolve to is judged when a connection is made (`receiver.registry.transport`).

    Raises:
        AccessDenied: neither at the registry's host nor ``allowed``, or plain HTTP for a registry with TLS.
        ProtocolViolation: no realm, or one that is no URL.
    """
    realm = Location.parse(challenge.parameters.get("realm", ""))
    if realm.origin.host != registry.host and realm.origin not in allowed:
        raise AccessDenied(
            f"{registry} names a token service at another host, {realm.origin}; it is not asked. "
            "If it belongs to the registry, list it in ADDON_SYNC_TOKEN_SERVICES"
        )
    if registry.scheme == "https" and realm.origin.scheme != "https":
        raise AccessDenied(f"{registry} names a token service with plain HTTP, {realm.origin}; it is not asked")
    return realm


def token_request(realm: Location, *, service: str | None, scope: str) -> Location:
    """The question to the token service. ``scope`` is ours, empty for no repository: a wider one is ignored."""
    # Several scopes are several parameters ("Requesting a Token"): a mount reads one repository and writes another.
    wanted = [("service", service), *(("scope", one) for one in scope.split())]
    asked = urlencode([(name, text) for name, text in wanted if text is not None])
    query = "&".join(part for part in (realm.query, asked) if part)
    return realm.at(f"{realm.path}?{query}" if query else realm.path)


def refresh_form(*, service: str | None, scope: str, token: str) -> bytes:
    """The form that asks for an access token in exchange for an identity token.

    Distribution's token specification, "OAuth2 Token Authentication": POST, ``grant_type=refresh_token``.
    """
    form = {"grant_type": "refresh_token", "client_id": "addon-sync", "scope": scope or None, "refresh_token": token}
    wanted = {**form, "service": service}
    return urlencode({name: word for name, word in wanted.items() if word is not None}).encode("ascii")


def _skip(header: str, position: int) -> int:
    match = _SEPARATOR.match(header, position)
    return position if match is None else match.end()


def _after_token68(header: str, position: int) -> int:
    if _PARAMETER.match(header, position) is not None:
        return position
    match = _TOKEN68.match(header, position)
    return position if match is None else match.end()


def _add(parameters: dict[str, str], match: re.Match[str]) -> None:
    name = match[1].lower()
    if name in parameters:
        raise ProtocolViolation(f"the registry's challenge has the parameter {name[:40]!r} twice")
    parameters[name] = match[2] if match[2] is not None else _ESCAPE.sub(r"\1", match[3])
