"""The end of ``serve``: what runs is given its time, and the process ends within the contract's."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from receiver import serve
from receiver.errors import ConfigError
from receiver.metrics import Metrics
from receiver.notation import Endpoint
from receiver.oci.reference import RegistryAddress
from receiver.sync.operations import Changed
from tests.support.account import another_account
from tests.support.outcomes import outcome


class _Stuck:
    """Workers with an installation in a thread that does not end."""

    def __init__(self) -> None:
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True

    async def give_back(self) -> None:
        await asyncio.Event().wait()


class _Left(BaseException):
    """In the place of the end of the process."""


def _leave(code: int) -> None:
    raise _Left(code)


async def test_an_installation_that_does_not_end_does_not_hold_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue is closed, then the process ends beside the thread, with exit code 0."""
    closed = []

    async def operated() -> None:
        closed.append("operated")

    async def settle() -> None:
        closed.append("written down")

    async def close() -> None:
        closed.append("closed")

    async def stop(grace: float) -> None:
        assert grace <= 3

    monkeypatch.setattr(serve, "_WORK_GRACE", 0.01)
    monkeypatch.setattr(serve, "_LAST_GRACE", 0.01)
    monkeypatch.setattr("os._exit", _leave)
    workers = _Stuck()
    parts = cast(
        "Any",
        SimpleNamespace(
            workers=workers,
            operations=SimpleNamespace(settle=operated, close=operated),
            queue=SimpleNamespace(close=close),
            chronicle=SimpleNamespace(settle=settle),
        ),
    )
    working = asyncio.create_task(asyncio.Event().wait())
    background = asyncio.create_task(asyncio.Event().wait())
    with pytest.raises(_Left) as left:
        await serve._shut_down(
            parts, cast("Any", SimpleNamespace(stop=stop)), cast("Any", working), [cast("Any", background)]
        )
    assert left.value.args == (0,)
    assert workers.stopped
    assert closed == ["operated", "operated", "written down", "closed"]
    assert background.cancelled() or background.cancelling()
    working.cancel()


@pytest.mark.parametrize("begun", [True, False])
async def test_what_never_began_does_not_stop(caplog: pytest.LogCaptureFixture, begun: bool) -> None:
    """A port that is taken is one line."""

    async def nothing(*_: object) -> None:
        pass

    workers, server = SimpleNamespace(stop=lambda: None), SimpleNamespace(stop=nothing)
    working = asyncio.create_task(nothing())
    background = [asyncio.create_task(nothing())] if begun else []
    with caplog.at_level("INFO"):
        parts = cast("Any", SimpleNamespace(workers=workers, operations=SimpleNamespace(settle=nothing)))
        await serve._shut_down(parts, cast("Any", server), working, background)
    assert caplog.messages == ["stopping"] * begun


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", "::", "some-name"])
@pytest.mark.parametrize(("token", "senders"), [(False, {}), (True, {}), (False, {"ghcr": "…"})])
async def test_an_address_that_others_reach_needs_a_credential(
    monkeypatch: pytest.MonkeyPatch, address: str, token: bool, senders: dict[str, str]
) -> None:
    """The token, or those of single senders: either closes the door to everybody else."""

    def opened(*_: object, **__: object) -> None:
        raise _Left

    monkeypatch.setattr("receiver.app.opened", opened)
    settings = SimpleNamespace(
        listen=Endpoint(host=address, port=0),
        token=SimpleNamespace(configured=token),
        senders=senders,
        registry=RegistryAddress.parse("registry.example", insecure=False),
        token_services=(),
        tls_cert=None,
        tls_key=None,
    )
    with pytest.raises(_Left if token or senders else ConfigError):
        await serve.serve(
            cast("Any", settings),
            cast("Any", None),
            progress=cast("Any", None),
            stop=asyncio.Event(),
            listening=lambda _: None,
        )


def test_the_graces_together_stay_within_ten_seconds() -> None:
    """With a second for what follows them."""
    assert serve._REQUEST_GRACE + serve._WORK_GRACE + serve._LAST_GRACE <= 9


def test_what_is_installed_is_shown_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By whatever it came: a sync, or the word of an operator, who may take it away too."""
    metrics = Metrics()
    reporter = serve._Reporter(metrics)

    def shown() -> list[str]:
        return [line for line in metrics.render()[0].decode().splitlines() if line.startswith("addon_sync_installed")]

    come = outcome(digest="sha256:2", tag="v2", visible=4.0)
    reporter(come)
    assert shown() == [
        'addon_sync_installed_release_info{digest="sha256:2",repository="addons/a",version="v2"} 1.0',
        'addon_sync_installed_release_timestamp_seconds{repository="addons/a"} 4.0',
    ]
    monkeypatch.setattr("time.time", lambda: 9.0)
    reporter.operated(Changed(repository="addons/a", action="rolled back", version="v1", digest="sha256:1"))
    assert shown() == [
        'addon_sync_installed_release_info{digest="sha256:1",repository="addons/a",version="v1"} 1.0',
        'addon_sync_installed_release_timestamp_seconds{repository="addons/a"} 9.0',
    ]
    reporter.operated(Changed(repository="addons/a", action="uninstalled"))
    assert shown() == []


def test_why_nothing_can_be_installed_is_told(tmp_path: Path) -> None:
    """Readiness is asked for by probes and by people: an answer, whatever is wrong."""
    catalogue = tmp_path / "host" / "addons"
    assert "is not there" in serve._missing(catalogue)[0]
    catalogue.parent.mkdir()
    catalogue.write_text("x")
    assert "is no folder" in serve._missing(catalogue)[0]
    catalogue.unlink()
    catalogue.mkdir()
    assert serve._missing(catalogue) == ()
    catalogue.parent.chmod(0o700)
    with another_account():
        assert "cannot be looked at: Permission denied" in serve._missing(catalogue)[0]
