"""Whether an answer to a ``Range`` request goes on where it should. Pure; RFC 9110 sections 14.4 and 15.3.7."""

import re

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})\Z")


def continues(status: int, *, content_range: str | None, length: int | None, offset: int, size: int) -> bool:
    """Whether the body is exactly the bytes from ``offset`` to the end of ``size``, as far as its head says.

    The digest in the URL is the strong validator, so ``If-Range`` is not needed; the hash over the whole decides.
    """
    match = _CONTENT_RANGE.match(content_range or "")
    if status != 206 or match is None or length not in {None, size - offset}:
        return False
    return (int(match[1]), int(match[2]), int(match[3])) == (offset, size - 1, size)
