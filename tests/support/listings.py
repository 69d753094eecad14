"""Prints a listing of realistic rows, for a terminal to show: ``python -m tests.support.listings status 200``."""

import sys
import time
from pathlib import Path

from receiver.cli.commands import doctor, events, missed, status
from receiver.cli.commands import why as why_module
from receiver.cli.commands.parked import _row as parked_row
from receiver.cli.entries import HEADER, WIDTHS
from receiver.cli.entries import row as entry_row
from receiver.cli.output import Table, print_table
from receiver.diagnosis.finding import broken, ok, warning
from receiver.diagnosis.settings import Row
from receiver.sync.status import AddonStatus, DesiredFacts, EventFacts, HoldFacts, InstalledFacts, Standing
from receiver.sync.story import Step, Story
from receiver.sync.unannounced import MissedPush
from receiver.sync.views import Parked
from receiver.tasks.journal import Activity, Arrival, Done, Entry, Event

DIGEST = "sha256:4f2a9c61d0a7b3f8e5c29d17a6b08e4f3c2d1b0a99887766554433221100ffee"
NAMES = (
    "monitoring", "ingress-nginx-controller", "gateway-api-with-a-rather-long-name", "logging", "dicom", "storage-smb"
)  # fmt: skip
STANDINGS: tuple[Standing, ...] = ("current", "retrying", "parked", "held", "outdated", "queued")
ERROR = (
    "https://registry.hospital.example.local:5000/v2/addons/storage-smb/blobs/sha256:4f2a9c61d0a7b3f8e5c29d17a6b08e4f "
    "answers 502 Bad Gateway, and that three times in a row; the body was <html>the proxy is not well today</html>"
)
PATH = Path("/var/lib/k2s/.addon-sync/backups")


def repository(number: int) -> str:
    return f"addons/{NAMES[number % len(NAMES)]}" + (f"-{number}" if number >= len(NAMES) else "")


def addon(number: int) -> AddonStatus:
    now = time.time()
    standing = STANDINGS[number % len(STANDINGS)]
    return AddonStatus(
        repository=repository(number),
        standing=standing,
        installed=InstalledFacts(
            tag=f"v1.{number}.0-rc.1", version=None, digest=DIGEST, installed=now - 86400 * number - 5, present=True
        ),
        desired=DesiredFacts(tag=f"v1.{number}.1", digest=DIGEST),
        hold=HoldFacts(since=now - 500, reason="audit until Friday, see ticket 4711") if standing == "held" else None,
        next_attempt=now + 30 if standing == "retrying" else None,
        attempts=3,
        error=ERROR if standing in {"retrying", "parked"} else None,
        remedy="ask those who run the proxy" if standing == "retrying" else None,
        last_event=EventFacts(
            number=number, received=now - 200, sender="distribution", verdict="accepted", actor="ci-robot", tag="v1.2.0"
        ),
    )


def entry(number: int) -> Entry:
    at = 1_763_800_000.0 + number
    if number % 3 == 0:
        event = Event(repository=repository(number), tag="v1.2.3", digest=DIGEST, actor="ci-robot")
        return Arrival(
            id=48_000 + number, received=at, answered=at, sender="distribution", verdict="accepted", reason=None,
            address="192.0.2.17", origin=None, events=(event,), size=900,
        )  # fmt: skip
    if number % 3 == 1:
        return Arrival(
            id=48_000 + number, received=at, answered=at, sender="harbor", verdict="refused",
            reason="no valid credential: the header Authorization is missing", address="192.0.2.99", origin=None,
            events=(), size=0, count=17,
        )  # fmt: skip
    return Done(
        id=48_000 + number,
        activity=Activity(at=at, kind="poll", outcome="failed", repository=None, document=b"{}"),
    )


def show(listing: str, number: int) -> None:
    rows = range(number)
    match listing:
        case "status":
            status._print([addon(row) for row in rows], PATH, asked=True)
        case "status-one":
            status._print_one(addon(number), PATH)
        case "events":
            events._print([entry(row) for row in rows], "text")
        case "follow":
            table = Table(HEADER, widths=WIDTHS)
            for row in rows:
                table.print_next(entry_row(entry(row)))
        case "parked":
            found = [
                Parked(repository=repository(row), digest=DIGEST, error=ERROR, attempts=4, since=time.time() - 9000)
                for row in rows
            ]
            header = ("ADDON", "DIGEST", "ATTEMPTS", "SINCE", "REASON")
            print_table(header, [parked_row(parked, time.time()) for parked in found], optional=("DIGEST",))
        case "missed":
            missed._print(
                [
                    MissedPush(
                        repository=repository(row), tag="v1.2.3", digest=DIGEST, state="not installed", installed=None
                    )
                    for row in rows
                ],
                whole=True,
            )
        case "why":
            steps = (
                Step(title="asked", text="by an event of distribution, pushed by ci-robot", when=time.time() - 60),
                Step(title="failed", text=ERROR, facts=(f"compared {DIGEST} with {DIGEST}", "layer 0: config")),
            )
            why_module._print(Story(status=addon(1), steps=steps, entries=tuple(entry(row) for row in rows)))
        case "doctor":
            settings = [
                Row(name="K2S_INSTALL_DIR", value=str(PATH), source="environment", where="K2S_INSTALL_DIR"),
                Row(
                    name="ADDON_SYNC_REGISTRY_PASSWORD", value="(a secret)", source="file",
                    where="registry_password_file in /etc/addon-sync/addon-sync.yaml",
                ),
            ]  # fmt: skip
            doctor._print_settings(settings, everything=False)
            doctor._print_findings(
                [ok("folders.rights", "fine"), warning("registry.tls", ERROR, "hurry"), broken("a.b", ERROR, ERROR)]
            )
        case _:
            raise SystemExit(f"no listing {listing}")


if __name__ == "__main__":
    show(sys.argv[1], int(sys.argv[2]))
