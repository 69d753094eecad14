"""A row of the table of settings: how one setting is named, read and explained. Pure."""

from collections.abc import Callable
from typing import Any

from receiver.document import Value


class Setting(Value, frozen=True, kw_only=True):
    """A row of the table. ``default`` is text in the form that users write; None where there is none."""

    name: str
    """The environment variable."""
    field: str
    parse: Callable[[str], Any]
    default: str | None
    help: str
    placeholder: str
    """What stands for the value in help texts."""
    yaml: tuple[type, ...] = (str,)
    """What a YAML file may give. Not numbers for texts: YAML would have read 0123 as 83, and 1.10 as 1.1."""
    windows: str | None = None
    """The default on Windows, where that is another one."""
    secret: bool = False
    has_flag: bool = True
    """False: by environment and file only, so that help texts stay short."""

    @property
    def key(self) -> str:
        """The name in a YAML file; with dashes, the flag."""
        return self.name.removeprefix("ADDON_SYNC_").lower()

    @property
    def flag(self) -> str:
        """The flag; a secret has only the one of its file, since other users see command lines."""
        return "--" + self.key.replace("_", "-") + ("-file" if self.secret else "")

    def default_on(self, system: str) -> str | None:
        """The default where ``os.name`` is ``system``."""
        return self.windows if system == "nt" and self.windows is not None else self.default
