"""The YAML file of settings: to texts by key, or one error that names the file and the key. A home of PyYAML.

What a key means is not known here: `receiver.config` judges the texts, wherever they come from.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from receiver.errors import ConfigError, quoted

Known = Mapping[str, tuple[type, ...]]
"""Keys, and the types that their values may have."""


def read_settings_file(file: Path, known: Known, sections: Mapping[str, Callable[[], Known]]) -> dict[str, str]:
    """The values in ``file`` as texts; ``known`` says which keys there may be, and values of which types.

    ``sections`` are keys that hold a mapping of their own; each gives its keys, with its name and a dot before them, as
    they are in the result. A list becomes a text of lines there, and one with commas elsewhere.

    Raises:
        ConfigError: the file cannot be read, or holds something else.
    """
    values: dict[str, str] = {}
    for key, value in _document(file).items():
        if key in sections and isinstance(value, dict):
            inner = {f"{key}.{name}": member for name, member in value.items()}
            values |= _texts(inner, sections[key](), file, separator="\n")
        elif key in sections and value is not None:
            raise ConfigError(f"{key} in {file}: a mapping is expected, one 'key: value' a line")
        elif key not in sections:
            values |= _texts({key: value}, {**known, **dict.fromkeys(sections, ())}, file, separator=",")
    return values


def _texts(document: Mapping[Any, Any], known: Known, file: Path, *, separator: str) -> dict[str, str]:
    values = {_known(key, known, file): value for key, value in document.items()}
    return {
        key: _as_text(key, value, known[key], file, separator) for key, value in values.items() if value is not None
    }


def _document(file: Path) -> dict[Any, Any]:
    """The file's mapping. Its errors never quote it: the line that is wrong may be the one with a token."""
    import yaml  # noqa: PLC0415 - only commands with --config pay for it

    where = f"the configuration file {quoted(file)}"
    try:
        text = file.read_text(encoding="utf-8-sig")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except OSError as error:
        raise ConfigError(f"{where} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where} is no UTF-8 text: save it as UTF-8") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        line = "" if mark is None else f": line {mark.line + 1}, column {mark.column + 1}"
        raise ConfigError(f"{where} is no YAML{line} (texts with special characters stand in quotes)") from error
    if document is None:
        return {}
    if not isinstance(document, dict) or not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{where} is not a mapping of settings, one 'key: value' a line")
    _refuse_twice([str(key.value) for key, _ in node.value], where)
    for key, value in node.value:
        if isinstance(value, yaml.MappingNode):
            _refuse_twice([f"{key.value}.{inner.value}" for inner, _ in value.value], where)
    return document


def _refuse_twice(keys: list[str], where: str) -> None:
    """YAML would take the last of two without a word."""
    for number, key in enumerate(keys):
        if key in keys[:number]:
            raise ConfigError(f"{where} holds the key {key!r} twice: keep one")


def _known(key: object, known: Mapping[str, object], file: Path) -> str:
    if isinstance(key, str) and key in known:
        return key
    import difflib  # noqa: PLC0415 - only for the error

    written = str(key).lower().replace("-", "_").removeprefix("addon_sync_")
    near = difflib.get_close_matches(written, known, n=1)
    raise ConfigError(f"unknown key {str(key)[:80]!r} in {file}" + (f": did you mean {near[0]!r}?" if near else ""))


def _as_text(key: str, value: object, allowed: tuple[type, ...], file: Path, separator: str) -> str:
    if type(value) not in allowed:
        remedy = "; write it in quotes" if isinstance(value, bool | int | float) and str in allowed else ""
        raise ConfigError(f"{key} in {file}: a value of type {type(value).__name__} does not fit{remedy}")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        if not all(isinstance(item, str) for item in value):
            raise ConfigError(f"{key} in {file}: a list of texts is expected; write each in quotes")
        if any("\n" in item for item in value):
            raise ConfigError(f"{key} in {file}: an item of a list is one line")
        return separator.join(value)
    return str(value)
