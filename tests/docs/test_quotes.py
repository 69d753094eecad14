"""What the documentation quotes of the program, the program says: messages, log lines, paths of HTTP, commands.

A quote stands in the documentation as it stands in the source, with ``…`` for what varies.
"""

import ast
import logging
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from receiver.cli.main import COMMANDS
from receiver.settings_table import SETTINGS
from receiver.sync.wire import REQUESTS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GENERATED = {DOCS / "reference" / name for name in ("commands.md", "hardening.md", "settings.md")}
WRITTEN = sorted({*DOCS.rglob("*.md"), ROOT / "README.md"} - GENERATED)
LOG = DOCS / "reference" / "log-and-metrics.md"
HTTP = DOCS / "reference" / "http.md"
_ROW = re.compile(r"^\|(?P<cells>.+)\|$")
_CELL = re.compile(r"(?<!\\)\|")
_SPAN = re.compile(r"`([^`]+)`")
_HOLE = re.compile(r"%(?:\.\d+)?[sdrgf]|\{\w*\}")
_LINE = re.compile(r"^(?:\S+ \S+ )?\[AddonSync\](?:\[\w+\])? (?P<message>.+)$", re.MULTILINE)


@cache
def texts() -> frozenset[str]:
    """Every text in the source that is no docstring, with ``…`` where a value is put in; and scripts by their lines."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "receiver").rglob("*.py")]
    scripts = [path.read_text(encoding="utf-8-sig") for path in (ROOT / "deploy").rglob("*.ps1")]
    lines = {line.strip() for script in scripts for line in script.splitlines()}
    return frozenset(text for tree in trees for text in _texts(tree)) | lines


def _texts(tree: ast.AST) -> Iterator[str]:
    if isinstance(tree, ast.JoinedStr):
        yield "".join(_fixed(part) for part in tree.values)
    elif isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        yield _HOLE.sub("…", tree.value)
    elif not _is_docstring(tree):
        for child in ast.iter_child_nodes(tree):
            yield from _texts(child)


def _fixed(part: ast.expr) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else "…"


def _is_docstring(tree: ast.AST) -> bool:
    return isinstance(tree, ast.Expr) and isinstance(tree.value, ast.Constant)


def is_said(quote: str) -> bool:
    """Whether some text of the source contains ``quote``, with anything for its ``…``."""
    pattern = re.compile(".*".join(re.escape(part) for part in quote.split("…")))
    return any(pattern.search(text) for text in texts())


def is_made(line: str) -> bool:
    """Whether some text of the source, with values put in, is found in ``line``; short ones would be in any."""
    patterns = (text.split("…") for text in texts() if len(text.replace("…", "")) >= 12)
    return line in texts() or any(re.search(".+".join(map(re.escape, parts)), line) for parts in patterns)


def tables(path: Path, heading: str) -> Iterator[list[str]]:
    """The rows, as cells, of the tables whose first column has this heading."""
    inside = False
    for line in path.read_text(encoding="utf-8").splitlines():
        match = _ROW.match(line)
        cells = [cell.strip() for cell in _CELL.split(match["cells"])] if match else []
        if cells and inside and not cells[0].startswith("---"):
            yield cells
        inside = bool(cells) and (inside or cells[0] == heading)


MESSAGES = [
    (path, quote)
    for path in sorted(DOCS.rglob("*.md"))
    for row in tables(path, "message")
    for quote in _SPAN.findall(row[0])
]


@pytest.mark.parametrize(("path", "quote"), MESSAGES, ids=[quote for _, quote in MESSAGES])
def test_every_message_that_is_explained_is_one_of_ours(path: Path, quote: str) -> None:
    """Where this fails, the message was changed: whoever searches for it would not find its remedy."""
    assert is_said(quote), f"{path.relative_to(ROOT)} explains a message that nothing says"


def test_messages_are_found() -> None:
    """A heading that was renamed would leave nothing to be compared."""
    assert len(MESSAGES) > 25


RUN = {path for path in WRITTEN if "<!-- run -->" in path.read_text(encoding="utf-8")}
"""What these show was compared with what the program said."""
LINES = [
    (path, line)
    for path in WRITTEN
    if path not in RUN
    for line in _LINE.findall(path.read_text(encoding="utf-8"))
    if line != "…"
]


@pytest.mark.parametrize(("path", "line"), LINES, ids=[line[:60] for _, line in LINES])
def test_every_log_line_that_is_shown_can_be_said(path: Path, line: str) -> None:
    """With the values of the example."""
    assert is_made(line), f"{path.relative_to(ROOT)} shows a line that nothing says"


FIXED = [(row[0], quote) for row in tables(LOG, "level") for quote in _SPAN.findall(row[1])]


@pytest.mark.parametrize(("level", "quote"), FIXED, ids=[quote for _, quote in FIXED])
def test_every_line_of_the_table_is_logged_as_it_stands(level: str, quote: str) -> None:
    """Word for word, and at its level: monitoring looks for these."""
    assert (level, quote) in logged()


def test_every_error_is_in_the_table() -> None:
    """ERROR is where a person must act, and this is where they look it up."""
    ours = {quote for level, quote in logged() if level == "ERROR" and quote.replace("…", "").strip(" :")}
    assert ours - {quote for level, quote in FIXED if level == "ERROR"} == set()


@cache
def logged() -> frozenset[tuple[str, str]]:
    """Level and text of every call of a logger whose text is written there."""
    calls = (
        node
        for path in (ROOT / "receiver").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) == "_log"
    )
    return frozenset(
        (_LEVELS[call.func.attr], _HOLE.sub("…", call.args[0].value))
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in _LEVELS
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    )


_LEVELS = {"info": "", "warning": "WARN", "error": "ERROR"}
assert logging.getLevelNamesMapping().keys() >= {name.upper() for name in _LEVELS}


def test_the_paths_of_http_are_all_there_and_no_others() -> None:
    """Those of senders and probes by their handlers' table, those of commands by the table of requests."""
    source = (ROOT / "receiver" / "server" / "app.py").read_text(encoding="utf-8")
    api = (ROOT / "receiver" / "server" / "api" / "app.py").read_text(encoding="utf-8")
    found = re.findall(r'"(/[\w/]+)": ', source) + re.findall(r'"(/v1/[a-z/]+)(?=["{])', api)
    paths = {path.rstrip("/") for path in found}
    documented = {path for row in tables(HTTP, "request") for path in re.findall(r"(/[a-z0-9/]+)(?=[`/])", row[0])}
    assert {path.rstrip("/") for path in documented} == paths
    text = HTTP.read_text(encoding="utf-8").partition("## Commands of the same host")[2]
    commands = text.partition("`POST /v1/NAME`")[2].partition(".")[0]
    assert sorted(_SPAN.findall(commands)) == sorted(REQUESTS)


def test_decisions_are_listed_by_the_number_and_title_that_they_have() -> None:
    """The number is that of the file; a list of Markdown would count on by itself where one is missing."""
    folder = DOCS / "decisions"
    pages = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("0*.md"))}
    titles = {name: text.partition("\n")[0].removeprefix("# ") for name, text in pages.items()}
    assert {name: int(title.partition(".")[0]) for name, title in titles.items()} == {
        name: int(name[:4]) for name in pages
    }
    index = (folder / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^- \[(.+)\]\((.+)\)$", index, re.MULTILINE) == [(titles[name], name) for name in pages]


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_flag_and_setting_that_is_named_is_one(path: Path) -> None:
    """A guide that drifts from the code sends people the wrong way."""
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"addon-sync ([a-z]+)\b(?= |`|$|\n)", "\n".join(_commands(text)))) <= {*COMMANDS, "help"}
    names = {setting.name for setting in SETTINGS} | {f"{setting.name}_FILE" for setting in SETTINGS if setting.secret}
    named = set(re.findall(r"\bADDON_SYNC_[A-Z_]*[A-Z]\b(?!_…)", text)) - {"ADDON_SYNC_TEST_SEED"}
    assert {name for name in named if not any(known.startswith(name) for known in names)} == set()


def _commands(text: str) -> Iterator[str]:
    """What is typed: the lines of blocks, and spans that begin with the program's name."""
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        if language in {"sh", "console"}:
            yield from re.findall(r"^(?:\S+/)?(addon-sync .*)$", block, re.MULTILINE)
    yield from (span for span in _SPAN.findall(text) if span.startswith("addon-sync "))


@pytest.mark.parametrize(
    ("quote", "said"),
    [
        ("no config, manifests, chart or scripts layer in the artifact", True),
        ("… works on … and did not end", True),
        ("access refused (…)", True),
        ("no config, manifests or chart layer in the artifact", False),
        ("access refused (401)", False),
    ],
)
def test_a_message_is_compared_word_for_word(quote: str, said: bool) -> None:
    """A check that finds everything would be green too."""
    assert is_said(quote) is said


@pytest.mark.parametrize(
    ("line", "made"),
    [
        ("addons/x: v2 was found by a poll, and no event had announced it: why", True),
        ("addons/x: v2 was found by a poll, and nothing had announced it: why", False),
        ("Addon sync completed. Synced: 1, Skipped (unchanged): 13, Failed: 0", True),
        ("Addon sync finished. Synced: 1", False),
    ],
)
def test_a_line_is_compared_but_for_its_values(line: str, made: bool) -> None:
    """Likewise."""
    assert is_made(line) is made
