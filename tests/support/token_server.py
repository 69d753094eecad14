"""A token service for the real registry: Distribution's token and OAuth2 specifications, signed by openssl.

Runs in a thread::

    with TokenServer(folder, account=("robot", "password")) as tokens:
        registry.auth = tokens.section()
"""

import base64
import json
import shutil
import ssl
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import pytest

SERVICE = "registry of a test"
ISSUER = "token service of a test"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question that arrived: ``how`` is basic, anonymous or refresh_token."""

    how: str
    scope: str
    granted: bool


class TokenServer:
    """Gives ``account`` the tokens that it asks for, and whoever has ``identity_token``; others get empty ones."""

    def __init__(
        self,
        folder: Path,
        *,
        account: tuple[str, str],
        identity_token: str = "",
        actions: frozenset[str] = frozenset({"pull", "*"}),
    ) -> None:
        self.account = account
        self.actions = actions
        """What the account may do."""
        self.identity_token = identity_token
        self.asked: list[Asked] = []
        self.life = 300
        """Seconds until a token ends, by what is signed; the answer says 300 all the same."""
        self._key, self._certificate = folder / "token-key.pem", folder / "token-cert.pem"
        _make_key(self._key, self._certificate)

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Its origin."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def section(self) -> dict[str, object]:
        """The registry's section ``auth``."""
        return {
            "token": {
                "realm": f"{self.url}/token",
                "service": SERVICE,
                "issuer": ISSUER,
                "rootcertbundle": str(self._certificate),
            }
        }

    def answer(self, how: str, scope: str, *, valid: bool) -> dict[str, object]:
        """The token document; an account that is not valid may nothing, nor who names no scope."""
        access: list[dict[str, object]] = []
        for one in scope.split():
            kind, name, wanted = one.split(":")
            if actions := [action for action in wanted.split(",") if valid and action in self.actions]:
                access.append({"type": kind, "name": name, "actions": actions})
        self.asked.append(Asked(how=how, scope=scope, granted=bool(access)))
        token = self._sign(access)
        return {"token": token, "access_token": token, "expires_in": 300}

    def _sign(self, access: list[dict[str, object]]) -> str:
        now = int(time.time())
        der = ssl.PEM_cert_to_DER_cert(self._certificate.read_text())
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "sub": self.account[0],
            "aud": SERVICE,
            "exp": now + self.life,
            "nbf": now - 600,
            "iat": now - 600,
            "jti": uuid.uuid4().hex,
            "access": access,
        }
        signed = f"{_base64(json.dumps(header).encode())}.{_base64(json.dumps(claims).encode())}"
        command = [_openssl(), "dgst", "-sha256", "-sign", str(self._key)]
        signature = subprocess.run(command, input=signed.encode(), check=True, capture_output=True).stdout
        return f"{signed}.{_base64(signature)}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                said = self.headers.get("Authorization", "")
                expected = "Basic " + base64.b64encode(":".join(service.account).encode()).decode()
                scope = " ".join(parse_qs(urlsplit(self.path).query).get("scope", []))
                if said and said != expected:
                    self._send(401, {"errors": [{"code": "UNAUTHORIZED"}]})
                    return
                how = "basic" if said else "anonymous"
                self._send(200, service.answer(how, scope, valid=said == expected))

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                assert form["grant_type"] == ["refresh_token"]
                assert form["service"] == [SERVICE]
                if form["refresh_token"] != [service.identity_token]:
                    self._send(400, {"error": "invalid_grant"})
                    return
                self._send(200, service.answer("refresh_token", form.get("scope", [""])[0], valid=True))

            def log_message(self, *_: object) -> None:
                """Nothing to standard error."""

            def _send(self, status: int, document: dict[str, object]) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler


def _make_key(key: Path, certificate: Path) -> None:
    kind = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tokens"]
    command = [_openssl(), "req", *kind, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)


def _openssl() -> str:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    return program


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
