"""Waiting for news of the journal, again and again."""

from pathlib import Path

from receiver.tasks.sqlite import SqliteQueue


async def test_waiting_in_vain_leaves_nothing_behind(tmp_path: Path) -> None:
    """A page that is open for weeks waits a second at a time."""
    queue = await SqliteQueue.open(tmp_path / "queue.sqlite")
    try:
        for _ in range(5):
            await queue.news(0.001)
        assert len(queue._waiting) == 0
    finally:
        await queue.close()
