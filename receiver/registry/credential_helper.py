"""Asks a ``docker-credential-…`` program for credentials. Blocks; its answer is bounded in size and time.

The protocol is that of docker/docker-credential-helpers: ``get``, the server's address on standard input, a JSON
document or words on standard output. Nothing of an answer ever reaches an error or a log line.
"""

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from receiver.document import Document, InvalidDocument, decode
from receiver.errors import AccessDenied
from receiver.registry.auth import Credentials, IdentityToken

TIMEOUT = 30.0
"""Seconds: some helpers ask a cloud, and none may hold a sync for ever."""
MAX_ANSWER = 64 * 1024
"""Bytes; tokens of clouds have some thousand."""
_LAST_WORDS = 1.0
"""Seconds that a killed helper's pipe may take to close."""
# A name becomes part of a file name: no separators, so that it can be nothing but a program on the search path.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
_NOT_FOUND = b"credentials not found"
"""In what a helper says of a server that it does not know (credentials.NewErrCredentialsNotFound)."""
_IDENTITY = "<token>"
"""The user name that stands for an identity token."""


class _Answer(Document, frozen=True, rename="pascal"):
    username: str = ""
    secret: str = ""


def ask_helper(name: str, server: str) -> Credentials | IdentityToken | None:
    """What the helper ``name`` (``ecr-login``, ``wincred``) knows of ``server``; None where that is nothing.

    Raises:
        AccessDenied: no such program, none that answers in time and form; the operator cures it.
    """
    title = helper_title(name)
    program = _find(title, search=os.environ.get("PATH", ""), system=os.name)
    if program is None:
        raise AccessDenied(f"{title}, which Docker's configuration names for {server}, is not on the search path")
    code, body = _run(program, server)
    if code != 0:
        if _NOT_FOUND in body:
            return None
        raise AccessDenied(f"{title} has no credentials for {server}: it ended with {code}; run it by hand to see why")
    return _parsed(body, title)


def helper_title(name: str) -> str:
    """The program's name, judged.

    Raises:
        AccessDenied: ``name`` is a path, or otherwise no part of a file name.
    """
    if _NAME.match(name) is None:
        raise AccessDenied(f"Docker's configuration names a credential helper that is none: {name[:80]!r}")
    return f"docker-credential-{name}"


def _parsed(body: bytes, title: str) -> Credentials | IdentityToken | None:
    try:
        answer = decode(body, _Answer)
    except InvalidDocument:
        # Without its cause, which may quote a secret.
        raise AccessDenied(f"{title} does not answer as a credential helper does") from None
    if not answer.secret:
        return None
    if answer.username == _IDENTITY:
        return IdentityToken(answer.secret)
    return Credentials(username=answer.username, password=answer.secret)


def _find(title: str, *, search: str, system: str) -> Path | None:
    """Look in absolute folders only: `shutil.which`, and Windows itself, begin with the working folder."""
    name = f"{title}.exe" if system == "nt" else title
    for folder in search.split(os.pathsep):
        path = Path(folder) / name
        if Path(folder).is_absolute() and path.is_file() and os.access(path, os.X_OK):
            return path
    return None


def _run(program: Path, server: str) -> tuple[int, bytes]:
    answer: list[bytes] = []
    with _started(program) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        reader = threading.Thread(target=_read, args=(process.stdout, answer), daemon=True)
        reader.start()
        with contextlib.suppress(OSError):  # it ended without reading: what it said counts
            process.stdin.write(server.encode())
            process.stdin.close()
        reader.join(TIMEOUT)
        if reader.is_alive():
            _kill(process)
            reader.join(_LAST_WORDS)
            raise AccessDenied(f"{program.name} gave no answer in {TIMEOUT:.0f} s")
        if not answer or len(answer[0]) > MAX_ANSWER:
            raise AccessDenied(f"{program.name} answers with more than {MAX_ANSWER} bytes")
        try:
            return process.wait(TIMEOUT), answer[0]
        except subprocess.TimeoutExpired as error:
            raise AccessDenied(f"{program.name} does not end after its answer") from error


@contextlib.contextmanager
def _started(program: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The helper, in a group of its own, which is gone in the end."""
    try:
        process = subprocess.Popen(  # noqa: S603 - the name was judged, and is one on the operator's search path
            [program, "get"],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(os.environ),
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise AccessDenied(f"{program.name} cannot be run: {error.strerror}") from error
    try:
        yield process
    finally:
        if process.poll() is None:
            _kill(process)
            process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """Ours, without our own secrets, which are none of a helper's business."""
    return {name: text for name, text in own.items() if not name.upper().startswith("ADDON_SYNC_")}


def _read(pipe: IO[bytes], answer: list[bytes]) -> None:
    """Read to the end, and close: on Windows, nobody else can while a grandchild keeps the reading from ending."""
    received = bytearray()
    with pipe, contextlib.suppress(OSError):
        while len(received) <= MAX_ANSWER and (part := pipe.read(MAX_ANSWER)):
            received += part
    answer.append(bytes(received))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The helper, and on POSIX what it has started: a child may hold the pipe open."""
    with contextlib.suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
