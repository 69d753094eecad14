"""One request to the receiver of this host. Blocks, within seconds; never through a proxy."""

import errno
import http.client
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from receiver.diagnosis.endpoint import Answer

SECONDS = 5.0
_MOST_ANSWER = 64 * 1024
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class NoAnswer(Exception):
    """Nothing in HTTP came back; the text says why."""


def ask(
    origin: str,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str],
    tls: ssl.SSLContext | None,
    most: int | None = _MOST_ANSWER,
) -> Answer:
    """Send one request, and read at most ``most`` bytes of the answer; None: all.

    Raises:
        NoAnswer: refused, cut off, late, or no HTTP.
    """
    url = urlsplit(origin)
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        connection = http.client.HTTPSConnection(host, port, timeout=SECONDS, context=tls)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request(method, path, body=body, headers=dict(headers))
        response = connection.getresponse()
        return Answer(status=response.status, body=response.read(most))
    except ssl.SSLCertVerificationError as error:
        raise NoAnswer(f"it shows another certificate than ADDON_SYNC_TLS_CERT, or: {error.verify_message}") from error
    except http.client.HTTPException as error:
        raise NoAnswer(f"no HTTP: {type(error).__name__}") from error
    except OSError as error:
        raise NoAnswer(error.strerror or "no answer in time") from error
    finally:
        connection.close()


def pinned(certificate: Path) -> ssl.SSLContext:
    """TLS to whoever has the key of ``certificate``, and to nobody else: no token goes to another.

    The name is not compared: the certificate is for the one that senders use. Of a file with a whole chain only the
    first is the receiver's own; whoever an authority among the others has signed is somebody else.

    Raises:
        OSError: it cannot be read, or holds none.
    """
    own = _CERTIFICATE.search(certificate.read_text(encoding="ascii", errors="replace"))
    if own is None:
        raise OSError(errno.EINVAL, "there is no certificate in PEM form in it")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=own[0])
    # Without this flag only a certificate that has signed itself could be the end of a chain.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
