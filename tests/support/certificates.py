"""A certificate made by openssl, and a fake registry that shows it."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.fake_registry import FakeRegistry


def make_certificates(folder: Path) -> Path:
    """``cert.pem`` for 127.0.0.1 and registry.example, which signs itself, ``key.pem``, and that ``encrypted.pem``."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:registry.example"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-x509"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([program, "req", *kind, *subject, *files], check=True, capture_output=True)
    encrypted = ["-in", str(folder / "key.pem"), "-out", str(folder / "encrypted.pem"), "-passout", "pass:x"]
    subprocess.run([program, "pkcs8", "-topk8", "-v2", "aes-256-cbc", *encrypted], check=True, capture_output=True)
    return folder


def make_authority(folder: Path) -> Path:
    """``ca.pem``, and what it has signed: ``server.pem`` for 127.0.0.1 and ``client.pem``, each with a key."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-x509"]
    for name, more in (
        ("ca", ["-addext", "keyUsage=critical,keyCertSign"]),
        ("server", ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "extendedKeyUsage=serverAuth"]),
        ("client", ["-addext", "extendedKeyUsage=clientAuth"]),
    ):
        signed = [] if name == "ca" else ["-CA", str(folder / "ca.pem"), "-CAkey", str(folder / "ca-key.pem")]
        leaf = [] if name == "ca" else ["-addext", "basicConstraints=critical,CA:FALSE"]
        files = ["-keyout", str(folder / f"{name}-key.pem"), "-out", str(folder / f"{name}.pem")]
        command = [program, "req", *kind, "-subj", f"/CN={name} of a test", *leaf, *more, *signed, *files]
        subprocess.run(command, check=True, capture_output=True)
    return folder


@contextmanager
def tls_server(certificates: Path, *, ask_client: bool = False, **more: Any) -> Iterator[FakeRegistry]:
    """A registry with TLS, which asks its clients for a certificate, or not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    if ask_client:
        context.load_verify_locations(certificates / "cert.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    with FakeRegistry(tls=context, **more) as server:
        yield server
