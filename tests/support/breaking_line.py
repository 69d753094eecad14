"""A way to a server on which the first connections break after so many bytes of what the client sends."""

import contextlib
import socket
import threading
from typing import Self


class BreakingLine:
    """Forwards connections to ``target`` on loopback; threads, so that blocking and async tests use it alike."""

    def __init__(self, target: int, *, after: int, times: int) -> None:
        self._target = target
        self._after = after
        self._times = times
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.broken = 0
        """How many connections have."""

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._listener, *self._sockets):
            _end(one)
        for thread in self._threads:
            thread.join(10)

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                self._start(self._forth, client, server)
                self._start(self._back, client, server)

    def _forth(self, client: socket.socket, server: socket.socket) -> None:
        left = self._after if self.broken < self._times else 1 << 60
        with contextlib.suppress(OSError):
            while left and (chunk := client.recv(min(left, 65536))):
                server.sendall(chunk)
                left -= len(chunk)
        self.broken += not left
        _end(client)
        _end(server)

    def _back(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := server.recv(65536):
                client.sendall(chunk)
        _end(client)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
