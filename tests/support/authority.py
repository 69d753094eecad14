"""A certification authority for tests: certificates of 127.0.0.1 and of clients, made by openssl."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in PEM files."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates; its own is in ``cert``."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._name = name
        own = self._pair(name)
        extension = "basicConstraints=critical,CA:TRUE"
        _openssl("req", "-x509", *_CURVE, "-subj", f"/CN={name}", "-addext", extension, *_out(own))
        self._own = own
        self.cert = own.cert

    def sign(self, name: str) -> Pair:
        """A certificate for 127.0.0.1 and a key of its own, to serve with or to show."""
        pair = self._pair(name)
        request = self._folder / f"{name}.csr"
        names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
        _openssl("req", "-new", *_CURVE, "-subj", f"/CN={name}", "-out", str(request), "-keyout", str(pair.key))
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(f"{names}\nbasicConstraints=CA:FALSE\n")
        signer = ("-CA", str(self._own.cert), "-CAkey", str(self._own.key), "-CAcreateserial", "-days", "2")
        _openssl("x509", "-req", "-in", str(request), *signer, "-extfile", str(extensions), "-out", str(pair.cert))
        return pair

    def _pair(self, name: str) -> Pair:
        return Pair(self._folder / f"{self._name}-{name}.pem", self._folder / f"{self._name}-{name}.key")


def encrypted(key: Path) -> Path:
    """The same key with a password."""
    target = key.with_suffix(".encrypted")
    _openssl("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", str(key), "-out", str(target), "-passout", "pass:x")
    return target


def _out(pair: Pair) -> tuple[str, ...]:
    return ("-out", str(pair.cert), "-keyout", str(pair.key))


def _openssl(*arguments: str) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    subprocess.run([program, *arguments], check=True, capture_output=True)
