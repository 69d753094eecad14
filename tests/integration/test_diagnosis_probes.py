"""The probes of ``doctor`` against servers on loopback that behave, hang, lie, or are not there."""

import asyncio
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from receiver.diagnosis.probe import http
from receiver.diagnosis.probe.network import Way, free_port, reach
from tests.support.authority import Authority
from tests.support.docker_registry import free_port as unused_port
from tests.support.forward_proxy import forward_proxy

Talk = Callable[[socket.socket], None]


@contextmanager
def server(talk: Talk, *, host: str = "127.0.0.1") -> Iterator[int]:
    """Accept one connection, and do with it what ``talk`` says."""
    with socket.create_server((host, 0)) as listener:
        listener.settimeout(10)

        def serve() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                talk(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(15)


def says(answer: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        asked = connection.recv(65536)
        # Closing with a body unread would take the answer back.
        length = re.search(rb"Content-Length: (\d+)\r\n", asked)
        while length is not None and len(asked.partition(b"\r\n\r\n")[2]) < int(length[1]):
            asked += connection.recv(65536)
        connection.sendall(answer)

    return talk


def until_closed(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def speaks_tls(context: ssl.SSLContext) -> Talk:
    def talk(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(1)
        except OSError:
            return

    return talk


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def context(authority: Authority) -> ssl.SSLContext:
    """That of a server for 127.0.0.1 and localhost."""
    pair = authority.sign("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    return context


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.cert))


def test_a_server_with_tls_is_reached_and_shows_its_names(authority: Authority, context: ssl.SSLContext) -> None:
    """Protocol, names, and the days that it is valid."""
    with server(speaks_tls(context)) as port:
        found = reach(Way(host="127.0.0.1", port=port, tls=trusting(authority)))
    assert (found.failure, found.addresses, found.connected) == (None, ("127.0.0.1",), "127.0.0.1")
    assert found.protocol in {"TLSv1.2", "TLSv1.3"}
    assert found.certificate is not None
    assert found.certificate.names == ("127.0.0.1", "localhost")
    assert 1.9 < (found.certificate.until - found.certificate.since) / 86400 < 2.1


def test_an_authority_that_is_not_trusted(tmp_path: Path, context: ssl.SSLContext) -> None:
    """The connection is there, its certificate is refused."""
    with server(speaks_tls(context)) as port:
        found = reach(Way(host="127.0.0.1", port=port, tls=trusting(Authority(tmp_path, "another"))))
    assert (found.failure, found.connected) == ("certificate", "127.0.0.1")
    assert found.reason


def test_a_certificate_for_another_name(authority: Authority, context: ssl.SSLContext) -> None:
    """It is trusted; the name in the settings is not among its own."""
    with server(speaks_tls(context), host="127.0.0.2") as port:
        found = reach(Way(host="127.0.0.2", port=port, tls=trusting(authority)))
    assert found.failure == "host"
    assert "127.0.0.2" in found.reason


@pytest.mark.parametrize(
    ("talk", "failure"),
    [(says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "no tls"), (says(b""), "cut"), (until_closed, "cut")],
)
def test_what_speaks_no_tls(talk: Talk, failure: str) -> None:
    """Plain HTTP, nothing at all, or silence, which ends after its seconds."""
    with server(talk) as port:
        found = reach(Way(host="127.0.0.1", port=port, tls=ssl.create_default_context(), seconds=0.5))
    assert found.failure == failure


def test_nobody_there_and_no_such_name() -> None:
    """In the words of the system."""
    assert reach(Way(host="127.0.0.1", port=unused_port())).failure == "connection"
    found = reach(Way(host="nobody.invalid", port=1))
    assert (found.failure, found.addresses) == ("name", ())
    assert reach(Way(host="a" * 70 + ".invalid", port=1)).failure == "name"


async def test_through_a_proxy(authority: Authority, context: ssl.SSLContext) -> None:
    """The name is the proxy's to resolve; only its own is ours."""
    async with forward_proxy() as proxy:
        with server(speaks_tls(context)) as port:
            through = ("127.0.0.1", proxy.port)
            way = Way(host="localhost", port=port, proxy=through, tls=trusting(authority))
            found = await asyncio.to_thread(reach, way)
    assert (found.failure, found.proxy) == (None, f"127.0.0.1:{proxy.port}")
    assert found.certificate is not None


@pytest.mark.parametrize(
    ("answer", "reason"), [(b"HTTP/1.1 403 Forbidden\r\n\r\n", "403"), (b"garbage", "no HTTP"), (b"", "no HTTP")]
)
def test_a_proxy_that_refuses(answer: bytes, reason: str) -> None:
    """Told with its status."""
    with server(says(answer)) as port:
        way = Way(host="registry.invalid", port=5000, proxy=("127.0.0.1", port), tls=ssl.create_default_context())
        found = reach(way)
    assert (found.failure, found.reason) == ("proxy", reason)


def test_a_port_that_is_free_and_one_that_is_not() -> None:
    """Nothing is left listening."""
    port = unused_port()
    assert free_port("127.0.0.1", port) is None
    assert free_port("", port) is None
    with socket.create_server(("127.0.0.1", port)):
        assert free_port("127.0.0.1", port) == "Address already in use"
    assert free_port("192.0.2.1", port) is not None
    assert free_port("nobody.invalid", port) is not None


def test_the_receiver_is_asked_over_tls_of_its_own_certificate_only(tmp_path: Path, context: ssl.SSLContext) -> None:
    """Whoever has another one gets no token, not even one of the same authority."""
    served = tmp_path / "authority-server.pem"
    other = Authority(tmp_path, "another").sign("server")
    answer = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"
    seen: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secured:
                request = bytearray()
                while not request.endswith(b"\r\n\r\n{}"):
                    request += secured.recv(65536)
                seen.append(bytes(request))
                secured.sendall(answer)
        except OSError:
            return

    headers = {"Authorization": "Bearer T0ken"}
    with server(talk) as port:
        tls = http.pinned(served)
        found = http.ask(f"https://127.0.0.1:{port}", "POST", "/v1", body=b"{}", headers=headers, tls=tls)
    assert (found.status, found.body) == (202, b"{}")
    assert b"T0ken" in seen.pop()
    with server(talk) as port, pytest.raises(http.NoAnswer, match="another certificate"):
        http.ask(f"https://127.0.0.1:{port}", "POST", "/v1", headers=headers, tls=http.pinned(other.cert))
    assert seen == []


def test_a_chain_in_the_file_lets_nobody_in_whom_it_signed(tmp_path: Path) -> None:
    """Its first certificate is the receiver's, also behind a text or a key; the others are of many servers."""
    authority = Authority(tmp_path)
    own, stranger = authority.sign("receiver"), authority.sign("stranger")
    chain = tmp_path / "chain.pem"
    chain.write_text(f"{own.key.read_text()}Subject: receiver\n{own.cert.read_text()}{authority.cert.read_text()}")
    answer = says(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}")

    def ask(cert: Path, key: Path) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)

        def talk(connection: socket.socket) -> None:
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    answer(secured)
            except OSError:
                return

        with server(talk) as port:
            origin, tls = f"https://127.0.0.1:{port}", http.pinned(chain)
            return http.ask(origin, "POST", "/v1", body=b"{}", headers={}, tls=tls).status

    assert ask(chain, own.key) == 202
    with pytest.raises(http.NoAnswer, match="another certificate"):
        ask(stranger.cert, stranger.key)
    with pytest.raises(OSError, match="no certificate in PEM form"):
        http.pinned(own.key)


@pytest.mark.parametrize("answer", [b"garbage\r\n\r\n", b"", b"HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\n{}"])
def test_what_speaks_no_http(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Garbage, nothing, and an answer that is cut off."""
    with server(says(answer)) as port, pytest.raises(http.NoAnswer):
        http.ask(f"http://127.0.0.1:{port}", "GET", "/readyz", headers={}, tls=None, most=None)


def test_silence_ends_after_its_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a port that nobody has is told at once."""
    monkeypatch.setattr(http, "SECONDS", 0.2)
    with server(until_closed) as port, pytest.raises(http.NoAnswer, match="no answer in time"):
        http.ask(f"http://127.0.0.1:{port}", "GET", "/readyz", headers={}, tls=None)
    with pytest.raises(http.NoAnswer, match="Connection refused"):
        http.ask(f"http://127.0.0.1:{unused_port()}", "GET", "/readyz", headers={}, tls=None)
