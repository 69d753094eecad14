"""Several at once: what comes out where one fails, or several do."""

import asyncio

import pytest

from receiver.errors import ReceiverError, Unavailable, UnsupportedContent
from receiver.sync.together import all_or_none


async def fails(error: Exception) -> None:
    raise error


async def test_all_come_in_their_order() -> None:
    """Whichever ends first."""
    gate = asyncio.Event()

    async def first() -> int:
        await gate.wait()
        return 1

    async def second() -> int:
        gate.set()
        return 2

    assert await all_or_none([first(), second()]) == [1, 2]


async def test_one_failure_is_raised_as_itself_and_ends_the_others() -> None:
    """No group, which nobody above would know."""
    ended = asyncio.Event()

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(Unavailable, match="down"):
        await all_or_none([waits(), fails(Unavailable("down"))])
    assert ended.is_set()


async def test_of_several_failures_the_first_is_raised() -> None:
    """They mostly fail alike."""
    with pytest.raises(ReceiverError) as raised:
        await all_or_none([fails(Unavailable("down")), fails(UnsupportedContent("odd"))])
    assert type(raised.value) is Unavailable


async def test_a_fault_of_the_program_is_not_hidden_behind_one_of_the_registry() -> None:
    """Whoever reports it needs both."""
    with pytest.raises(ExceptionGroup) as raised:
        await all_or_none([fails(Unavailable("down")), fails(KeyError("a"))])
    assert {type(error) for error in raised.value.exceptions} == {Unavailable, KeyError}
