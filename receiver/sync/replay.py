"""Recorded deliveries, back into hints: from a file, from standard input, or from the journal.

A replayed event is a hint like any other: all that comes of it is a look at the repository that it names.
"""

import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise

from receiver.document import InvalidDocument, parse
from receiver.errors import DeliveryError
from receiver.sync.replayed import Replayed
from receiver.webhook.decode import decode, understand
from receiver.webhook.event import Decoded, Delivery

# A string ends with its line, closed or not, and nothing of it is tried again: one pass over any line.
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*+"?|[{}\[\]]')
_BEFORE_A_VALUE = ("[", ",", ":")


def read(lines: Iterable[str], *, prefix: str, found: Replayed) -> Generator[tuple[int, Decoded], None, None]:
    """Read JSON documents, one a line or spread over lines: each with the number of its first line.

    Their events are counted in ``found``.

    Taken are envelopes and single events of any supported sender, and recordings of both headers and body
    (``{"headers": {…}, "body": …}``). What cannot be read is noted and does not stop the rest.
    """
    for number, text, document in _split(lines):
        found.documents += 1
        try:
            decoded = _decoded(_parsed(text) if document is None else document, prefix)
        except (InvalidDocument, DeliveryError) as error:
            found.problems.append(f"line {number}: {error}")
            continue
        found.add(decoded, where=f"line {number}")
        yield number, decoded


def documents(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Split text into JSON documents; each with the number of its first line, counted from 1.

    A document ends where its brackets close. A line that starts a new one while another is open shows that the open
    one is cut off: it is given as it is, for its reader to refuse.
    """
    for number, text, _ in _split(lines):
        yield number, text


def _split(lines: Iterable[str]) -> Iterator[tuple[int, str, object]]:
    """As `documents`, with what was read where a line is a whole document, as nearly all are; else with None."""
    start, depth, kept = 0, 0, list[str]()
    for number, (line, following) in enumerate(pairwise(chain(lines, [""])), start=1):
        if kept and _starts_anew(line, kept, following):
            yield start, "".join(kept), None
            kept, depth = [], 0
        if not kept:
            if not line.strip():
                continue
            if (document := _whole(line)) is not None:
                yield number, line, document
                continue
            start = number
        kept.append(line)
        depth += _depth(line)
        if depth <= 0:
            yield start, "".join(kept), None
            kept, depth = [], 0
    if kept:
        yield start, "".join(kept), None


def _whole(line: str) -> object:
    """The document that ``line`` is, or None where it is none: reading it costs less than counting its brackets."""
    if not line.startswith("{") or not line.rstrip().endswith("}"):
        return None
    try:
        return _parsed(line)
    except InvalidDocument:
        return None


def _parsed(text: str) -> object:
    return parse(text.encode("utf-8", "surrogateescape"))


def _starts_anew(line: str, kept: Sequence[str], following: str) -> bool:
    """Whether ``line`` cannot belong to the document whose lines are ``kept``."""
    if not line.startswith("{"):
        return False
    indented = len(kept) > 1 and kept[1][:1].isspace()
    if indented or not kept[-1].rstrip().endswith(_BEFORE_A_VALUE):
        # In an indented document only its end stands in the first column; elsewhere no value can stand here.
        return True
    # An element of a list is followed by another one, after a comma, or by the end of the list.
    whole = line.rstrip().endswith("}") and _depth(line) == 0
    return whole and not following.lstrip().startswith(("]", "}", ","))


def _depth(line: str) -> int:
    return sum({"{": 1, "[": 1, "}": -1, "]": -1}.get(match[0], 0) for match in _STRUCTURE.finditer(line))


def _decoded(document: object, prefix: str) -> Decoded:
    headers: Mapping[str, str] = {}
    if isinstance(document, dict) and isinstance(document.get("headers"), dict) and "body" in document:
        headers = {str(name).lower(): str(value) for name, value in document["headers"].items()}
        document = document["body"]
        if isinstance(document, str):
            return decode(Delivery(headers=headers, body=document.encode()), prefix=prefix)
    if isinstance(document, dict) and "events" not in document and "target" in document:
        document = {"events": [document]}
    return understand(headers, document, prefix=prefix)
