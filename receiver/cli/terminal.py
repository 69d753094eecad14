"""What a terminal may be sent: colours, where there is one that shows them and nobody said no."""

import os
from typing import IO

import click

_TONES = {
    "green": ("installed", "current", "ok", "accepted", "released", "repaired"),
    "red": ("failed", "parked", "broken", "missing", "refused", "quarantined"),
    "yellow": ("held", "retrying", "queued", "syncing", "outdated", "warning", "unknown", "absent", "not installed"),
}
"""What a state looks like. It is always written, too: nobody has to tell red from green."""
_TONE_OF = {word: tone for tone, words in _TONES.items() for word in words}


class State(str):
    """Text that is a state, or ends with the word of one: a terminal shows it in colour."""

    __slots__ = ()

    @property
    def tone(self) -> str | None:
        """The name of a colour; None for a state that is neither good nor bad."""
        text = self.lower()
        return _TONE_OF.get(text) or _TONE_OF.get(text.rpartition(" ")[2])


def coloured(stream: IO[str]) -> bool:
    """Whether ``stream`` gets colours: a terminal does, unless ``NO_COLOR`` or ``TERM=dumb`` is set (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def obeys_escapes(stream: IO[str], *, system: str = os.name) -> bool:
    """Whether ``stream`` may be sent colours as escape codes, by nobody who would translate them for old consoles."""
    return coloured(stream) and (system != "nt" or "WT_SESSION" in os.environ)


def painted(state: State, stream: IO[str]) -> str:
    """``state`` for `click.echo` to ``stream``, in its colour."""
    return click.style(state, fg=state.tone) if state.tone is not None and coloured(stream) else str(state)
