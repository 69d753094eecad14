"""Names inside an archive: which of them may become files on any system. Pure; makes no file itself.

One set of rules everywhere, so that an artifact that one host takes is taken by all: what Windows cannot keep apart, or
gives to a device, is refused on Linux too. Sources: https://learn.microsoft.com/windows/win32/FileIO/naming-a-file, the
reserved names of Go's ``internal/filepathlite``, and the case lists A and G of the project's hazards.
"""

import re
import unicodedata
from typing import Self

from receiver.document import Value
from receiver.errors import UnsafeArchive

# Backslash and colon change the meaning of a path on Windows, '%' is expanded by its shells (and is an escape in URLs:
# refused rather than decoded, A12), the others cannot stand in a name there.
_FORBIDDEN = frozenset('<>:"|?*\\/%')
# Look-alikes of separators, and of what a shell or Windows takes for special, that NFKC leaves alone, but Windows'
# best-fit mapping to an ANSI code page does not (G25): the yen and won signs are backslashes in code pages 932 and 949.
_LOOK_ALIKES = frozenset("\u00a5\u20a9\u066a\u2217\u01c0\u02ba\u030e\u2044\u2215\u2216\u29f5\u29f8\u29f9\u2236\ua789")
# Controls, formats (bidi, zero width, tags, BOM), surrogates, private and unassigned code points, spaces but the plain.
_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
# Paths of which no rule below needs to say anything, so that nearly all of a big archive pass in one step.
_PLAIN = re.compile(
    r"(?:(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:[./]|\Z))"
    r"[a-z0-9_-](?:[a-z0-9_.-]*[a-z0-9_-])?(?<!\.lnk)(?<!\.url)(?<!\.scf)(?<!\.in[fi])(?<!-ms)(?:/(?!\Z)|\Z))+\Z",
    re.IGNORECASE | re.ASCII,
)
_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"} | {f"{d}{n}" for d in ("COM", "LPT") for n in range(10)}
)
# PROGRA~1: Windows may give such an alias to another file of the folder, and opening it then writes there (G17).
_SHORT_NAME = re.compile(r"[^.]{0,7}~[0-9]{1,6}(?:\.[^.]{0,3})?\Z")
# Files on which Explorer acts when it merely shows their folder (G23).
_ACTED_ON = re.compile(r"(?:desktop\.ini|autorun\.inf|.*\.(?:lnk|url|scf|library-ms|searchconnector-ms))\Z", re.DOTALL)
_MAX_COMPONENT_BYTES = 255  # NAME_MAX of Linux file systems
_SHOWN = 120


class NameLimits(Value, frozen=True, kw_only=True):
    """How long and how deep; lengths in UTF-16 units, as Windows counts.

    180 leaves room for the catalogue, the addon and the implementation within the 259 of MAX_PATH (hazards G22).
    """

    max_depth: int = 16
    max_component: int = 128
    max_path: int = 180


class EntryPath(str):
    """A relative path with ``/`` that names the same place below any folder of any system."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str, *, limits: NameLimits, folder: bool = False) -> Self:
        """Judge ``text`` and drop what changes nothing: ``./``, doubled slashes, and the slash that ends a ``folder``.

        A folder may come out empty: ``./`` is the place itself.

        Raises:
            UnsafeArchive: absolute, upwards, too long, or no name on some system; the text shows it, escaped.
        """
        try:
            return cls(_judge(text, limits, folder=folder))
        except ValueError as error:
            raise UnsafeArchive(f"{shown(text)}: {error}") from error

    @property
    def collision_key(self) -> str:
        """Equal for paths that some file system takes for one: upper or lower case, composed or not, look-alike."""
        if self.isascii():
            return self.lower()
        # Upper case joins what case folding keeps apart (dotless i) and folding what upper case does (sharp s): G16.
        folded = unicodedata.normalize("NFKC", self).upper().casefold()
        return unicodedata.normalize("NFKC", folded)


def shown(name: str | bytes) -> str:
    """``name`` as a message may hold it: quoted, everything but printable ASCII escaped, cut."""
    return ascii(name[:_SHOWN]) + ("..." if len(name) > _SHOWN else "")


def _judge(text: str, limits: NameLimits, *, folder: bool) -> str:
    if (
        len(text) <= limits.max_component <= limits.max_path
        and text.count("/") < limits.max_depth
        and _PLAIN.match(text) is not None
    ):
        return text
    if not text:
        raise ValueError("an empty name")
    if text.startswith("/"):
        raise ValueError("an absolute path")
    parts = text.split("/")
    if not folder and parts[-1] in {"", "."}:
        raise ValueError("a file with the name of a folder")
    parts = [part for part in parts if part not in {"", "."}]
    if len(parts) > limits.max_depth:
        raise ValueError(f"{len(parts)} levels deep, the limit is {limits.max_depth} (ADDON_SYNC_MAX_DEPTH)")
    for part in parts:
        _judge_component(part, limits.max_component)
    path = "/".join(parts)
    if _units(path) > limits.max_path:
        raise ValueError(f"{_units(path)} characters, the limit of a path is {limits.max_path} (ADDON_SYNC_MAX_PATH)")
    return path


def _judge_component(name: str, max_component: int) -> None:
    if name == "..":
        raise ValueError("leads upwards")
    # Windows and its ANSI interfaces see compatibility forms as the plain ones: a full-width dot, a raised 1 in COM1.
    plain = unicodedata.normalize("NFKC", name)
    _judge_characters(name)
    _judge_characters(plain)
    if _units(name) > max_component:
        raise ValueError(
            f"a component of {_units(name)} characters, the limit is {max_component} (ADDON_SYNC_MAX_COMPONENT)"
        )
    if len(name.encode()) > _MAX_COMPONENT_BYTES:
        raise ValueError(f"a component of {len(name.encode())} bytes, file systems end at {_MAX_COMPONENT_BYTES}")
    if plain[-1] in ". " or plain[0] == " ":
        raise ValueError("begins with a space, or ends with a space or a dot, which Windows drops")
    _judge_meaning(plain)


def _judge_characters(name: str) -> None:
    for character in name:
        if character in _FORBIDDEN or character in _LOOK_ALIKES:
            raise ValueError(f"the character {character!a} is not portable")
        if character != " " and unicodedata.category(character) in _CATEGORIES:
            raise ValueError(f"the character {character!a} cannot be seen or is none")


def _judge_meaning(plain: str) -> None:
    if plain.partition(".")[0].rstrip(" ").upper() in _DEVICES:
        raise ValueError("a device of Windows")
    if "~" in plain and _SHORT_NAME.match(plain) is not None:
        raise ValueError("has the form of a short name (8.3) of Windows")
    if _ACTED_ON.match(plain.casefold()) is not None:
        raise ValueError("Windows Explorer acts on files of this name")


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def tellable(path: str) -> str:
    """The path of an operator's file as text that can be stored and sent: bytes that are no UTF-8 as escapes."""
    return path.encode("utf-8", "backslashreplace").decode()
