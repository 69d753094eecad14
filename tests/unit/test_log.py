"""Log lines: their exact form, and that nothing from outside can forge one."""

import io
import json
import logging
import re
import unicodedata
from collections.abc import Iterator

import pytest

from receiver.log import configure


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    logger = logging.getLogger("receiver")
    before = (logger.handlers[:], logger.level, logger.propagate)
    yield io.StringIO()
    logger.handlers[:], logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


log = logging.getLogger("receiver.test")
# Every control and format character, line ends, and a half of a pair.
HOSTILE = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0x202E, 0x2066, 0x200F, 0xFEFF, 0xD800]))


@pytest.mark.parametrize(
    ("level", "prefix"),
    [(logging.INFO, "[AddonSync]"), (logging.WARNING, "[AddonSync][WARN]"), (logging.ERROR, "[AddonSync][ERROR]"),
     (logging.CRITICAL, "[AddonSync][ERROR]")],
)  # fmt: skip
def test_a_line_has_the_form_of_the_contract(stream: io.StringIO, level: int, prefix: str) -> None:
    """Other programs search for it word for word."""
    configure(style="text", stream=stream)
    log.log(level, "Digest changed -- proceeding with %s sync", "full")
    pattern = rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d {re.escape(prefix)} Digest changed -- proceeding with full sync\n"
    assert re.fullmatch(pattern, stream.getvalue())


def test_lines_go_to_standard_output(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    """Unless somebody needs it for something else."""
    configure(style="text")
    log.info("here")
    assert capsys.readouterr().out.endswith("[AddonSync] here\n")


def test_lines_are_written_once_and_without_debugging(stream: io.StringIO) -> None:
    """Also where it was configured before, and where the root has a handler."""
    configure(style="text", stream=stream)
    configure(style="text", stream=stream)
    log.info("once")
    log.debug("never")
    assert stream.getvalue().count("once") == 1
    assert "never" not in stream.getvalue()
    assert not logging.getLogger("receiver").propagate


def unfit(text: str) -> list[str]:
    return [f"{ord(char):04x}" for char in text if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


@pytest.mark.parametrize("style", ["text", "json"])
def test_no_control_character_reaches_a_line(stream: io.StringIO, style: str) -> None:
    """Hazards A15: a name must not start a line of its own, move the cursor, or turn the text around."""
    configure(style=style, stream=stream)
    log.warning("%s", HOSTILE, extra={"addon": HOSTILE})
    line = stream.getvalue()
    assert unfit(line.removesuffix("\n")) == []
    line.encode("utf-8")
    assert "x1b" in line or "u001b" in line


@pytest.mark.parametrize("style", ["text", "json"])
def test_an_exception_cannot_forge_a_line(stream: io.StringIO, style: str) -> None:
    """Its text may hold names from outside; its lines are indented, or escaped."""
    configure(style=style, stream=stream)
    forged = ValueError("x\n2026-11-22 12:00:00 [AddonSync] forged\x1b[2J")
    log.error("broken", exc_info=forged)
    first, *rest = stream.getvalue().splitlines()
    assert "broken" in first
    assert all(line.startswith("    ") for line in rest)
    assert "\x1b" not in stream.getvalue()
    assert "ValueError" in stream.getvalue()


def test_json_lines_have_their_members(stream: io.StringIO) -> None:
    """One object a line; the addon where there is one."""
    configure(style="json", stream=stream)
    log.warning("%d of %s", 1, "ü", extra={"addon": "monitoring"})
    log.info("two")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert first == {"level": "WARNING", "logger": "receiver.test", "message": "1 of ü", "addon": "monitoring"}
    assert "addon" not in second


def test_json_survives_what_it_escapes(stream: io.StringIO) -> None:
    """The reader gets the very text, DEL included."""
    configure(style="json", stream=stream)
    log.info("a\x7fb\nc")
    assert json.loads(stream.getvalue())["message"] == "a\x7fb\nc"
