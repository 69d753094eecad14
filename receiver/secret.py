"""Secrets of the operator: given directly or in a file that is read again when it changes. Never printed."""

from collections.abc import Callable
from pathlib import Path

from receiver.errors import ConfigError, quoted


class Secret:
    """Words such as tokens or a password; ``key`` is the setting's name, ``split`` takes its text apart."""

    def __init__(
        self,
        *,
        key: str,
        split: Callable[[str], tuple[str, ...]],
        text: str | None = None,
        file: Path | None = None,
        suffix: str = "_FILE",
    ) -> None:
        self._key = key
        self._file_key = key + suffix
        self._split = split
        self._file = file
        self._stamp: tuple[int, int, int] | None = None
        self._read = split(text or "")
        self.configured = text is not None or file is not None

    def __repr__(self) -> str:
        return f"<secret {self._key}>"

    def words(self) -> tuple[str, ...]:
        """The words that are valid now, without empty ones.

        Raises:
            ConfigError: the file cannot be read and never could be; where it could before, its last words stay valid.
        """
        if self._file is None:
            return self._read
        try:
            status = self._file.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._stamp:
                self._read = self._split(self._file.read_text(encoding="utf-8-sig"))
                # Taken before the reading: what is written meanwhile has another stamp, and is read the next time.
                self._stamp = stamp
        except (OSError, ValueError) as error:
            # Secrets are replaced by a rename or, in Kubernetes, a link: between two instants there may be nothing.
            if self._stamp is None:
                # Only the system's words: the text of a decoding error quotes what it could not decode.
                reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
                raise ConfigError(f"{self._file_key} {quoted(self._file)} cannot be read: {reason}") from error
        return self._read

    def word(self) -> str | None:
        """The first word, for a secret that has only one."""
        words = self.words()
        return words[0] if words else None


def tokens(text: str) -> tuple[str, ...]:
    """Several words, each on its own line or comma separated: old and new, while senders are changed over."""
    return tuple(word for part in text.replace("\n", ",").split(",") if (word := part.strip()))


def lines(text: str) -> tuple[str, ...]:
    """Several words, each on its own line, which may hold commas and blanks."""
    return tuple(word for line in text.split("\n") if (word := line.strip()))


def password(text: str) -> tuple[str, ...]:
    """One word, which may hold commas and blanks; without the line end that editors add to a file."""
    word = text.rstrip("\r\n")
    return (word,) if word else ()
