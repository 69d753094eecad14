"""What an operator asks, through a receiver that runs and without: the same answers, for people and for programs."""

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Site
from tests.support.addons import artifact, push_addon
from tests.support.notifications import envelope, event
from tests.support.push import push_files
from tests.support.system import Host, wait_for

pytestmark = pytest.mark.registry

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")


def announcement(leaf: str, event_id: str, **more: object) -> bytes:
    """What Distribution sends of a push."""
    target = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "repository": f"addons/{leaf}",
        "tag": "v1.0.0",
    }
    return envelope(event(id=event_id, target={**target, **more}))


def push(site: Site, scratch: Path, leaf: str, version: str = "v1.0.0") -> str:
    return str(push_addon(site.registry.url, leaf, artifact(scratch, addon=leaf, version=version)))


def push_broken(site: Site, leaf: str, content: bytes = b"opaque") -> None:
    """An artifact that no repetition makes an addon."""
    push_files(site.registry.url, f"addons/{leaf}", "v1.0.0", content, media_type="application/octet-stream")


def ended(host: Host, code: int, *arguments: str, stdin: str | None = None) -> str:
    """What a command prints that ends with ``code``."""
    done = host.run(*arguments, stdin=stdin)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextmanager
def following(host: Host, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A command that goes on, and the lines that it has printed so far."""
    process = subprocess.Popen(
        [sys.executable, "-m", "receiver", *arguments],
        env=host.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: list[str] = []

    def read() -> None:
        assert process.stdout is not None
        lines.extend(iter(process.stdout.readline, ""))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield process, lines
    finally:
        if process.poll() is None:
            process.kill()
        reader.join()
        process.communicate()


def test_events_are_listed_with_a_receiver_and_without(quiet_site: Site, tmp_path: Path) -> None:
    """Every verdict with its address and reason, every deed; filtered, paged, for programs with ISO times."""
    site, host = quiet_site, quiet_site.host
    digest = push(site, tmp_path, "monitoring")
    with site.serve() as serving:
        assert serving.post(announcement("monitoring", "e1", digest=digest))[0] == 202
        wait_for("monitoring", lambda: host.digest("monitoring") == digest)
        assert serving.post(announcement("monitoring", "e1", digest=digest))[0] == 202
        assert serving.post(b"not json")[0] == 202
        assert serving.post(b"{}", token="wrong")[0] == 401
        assert serving.post(envelope(event(id="e2", action="pull")))[0] == 202
        ended(host, 0, "hold", "monitoring", "--reason", "audit")

        def verdicts() -> set[str]:
            return {one["verdict"] for one in host.json("events", "--kind", "delivery", "--all")}

        assert verdicts() == {"accepted", "duplicate", "quarantined", "refused", "ignored"}
        wait_for("the poll that the broken one asked for", lambda: host.json("events", "--kind", "poll"))
        assert "ignored" not in {one.get("verdict") for one in host.json("events")}, (
            "noise is left out unless asked for"
        )
        served = host.json("events", "--limit", "1000")
        assert serving.stop() == 0
    alone = host.json("events", "--limit", "1000")
    assert [one for one in alone if one in served] == served
    assert sorted(one["id"] for one in alone) == [one["id"] for one in alone]
    for one in alone:
        assert ISO.match(one.get("received") or one["at"])
    (refused,) = host.json("events", "--verdict", "refused")
    assert (refused["address"], refused["sender"]) == ("127.0.0.1", "unknown")
    assert "credential" in refused["reason"]
    (held,) = host.json("events", "--kind", "operation")
    assert (held["outcome"], held["repository"]) == ("held", "addons/monitoring")
    assert {one["kind"] for one in host.json("events", "--addon", "monitoring")} == {"delivery", "sync", "operation"}
    assert host.json("events", "--sender", "harbor") == []
    assert host.json("events", "--until", "1h") == []
    last = host.json("events", "--limit", "2")
    before = host.json("events", "--limit", "2", "--before", str(last[0]["id"]))
    assert [one["id"] for one in before + last] == [one["id"] for one in alone][-4:]
    table = ended(host, 0, "events")
    assert re.search(r"refused +unknown at 127\.0\.0\.1; a valid credential", table)
    assert "held" in table
    assert ended(host, 0, "events", "--sender", "harbor").strip() == "nothing of that is in the journal"
    assert ended(host, 2, "events", "--since", "yesterday")


@pytest.mark.parametrize("output", ["text", "json"])
def test_events_are_followed_until_ctrl_c(quiet_site: Site, output: str) -> None:
    """What is there, then what happens, as it happens; and the command ends well."""
    site, host = quiet_site, quiet_site.host
    with site.serve() as serving:
        assert serving.post(announcement("first", "e1"))[0] == 202
        with following(host, "events", "--follow", "--kind", "delivery", "--output", output) as (process, lines):
            wait_for("what was there", lambda: [line for line in lines if "addons/first" in line])
            for number in range(5):
                assert serving.post(announcement(f"later-{number}", f"l{number}"))[0] == 202
            assert serving.post(b"{}", token="wrong")[0] == 401
            wait_for("what came", lambda: [line for line in lines if "refused" in line], seconds=5)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0
            printed = [line for line in lines if "addons/" in line]
            assert [re.search(r"addons/([\w-]+)", line)[1] for line in printed] == [  # type: ignore[index] # it is there
                "first",
                *(f"later-{number}" for number in range(5)),
            ]
            if output == "json":
                assert all(ISO.match(json.loads(line)["received"]) for line in lines)
        assert serving.stop() == 0


def test_who_follows_a_serve_that_is_stopped_is_told_so(quiet_site: Site) -> None:
    """In words, with exit code 1: what was to be followed comes no more."""
    site, host = quiet_site, quiet_site.host
    with site.serve() as serving:
        assert serving.post(announcement("first", "e1"))[0] == 202
        with following(host, "events", "--follow", "--kind", "delivery") as (process, lines):
            wait_for("what was there", lambda: [line for line in lines if "addons/first" in line])
            assert serving.stop() == 0
            assert process.wait(timeout=20) == 1
            (last,) = wait_for("its end", lambda: [line for line in lines if "ERROR" in line])
    assert re.search(r"addon-sync serve \(process \d+\) has stopped: nothing new comes$", last.strip()), last


def test_nothing_can_be_followed_where_nothing_runs(quiet_site: Site) -> None:
    """It is said at once."""
    assert "does not run on this state folder" in ended(quiet_site.host, 2, "events", "--follow")


def test_what_is_parked_is_listed_retried_and_discarded(quiet_site: Site, tmp_path: Path) -> None:
    """With the reason and what to do; with a receiver and without."""
    site, host = quiet_site, quiet_site.host
    for leaf in ("broken", "other"):
        push_broken(site, leaf)
    ended(host, 1, "sync")
    for _ in range(2):
        parked = {one["repository"]: one for one in host.json("parked")}
        assert set(parked) == {"addons/broken", "addons/other"}
        one = parked["addons/broken"]
        assert one["attempts"] == 1
        assert ISO.match(one["since"])
        assert "holds no addon" in one["error"]
        (row,) = host.json("status", "broken", "--offline")
        assert (row["standing"], row["error"]) == ("parked", one["error"])
        assert "push a corrected artifact" in row["remedy"]
        # A poll finds them as they were: what is to be done is told as before.
        ended(host, 1, "poll")
    with site.serve() as serving:
        assert len(host.json("parked")) == 2
        assert "holds no addon" in ended(host, 1, "parked", "retry", "broken")
        digest = push(site, tmp_path, "broken", "v1.1.0")
        assert "Synced: 1" in ended(host, 0, "parked", "retry", "broken")
        assert host.digest("broken") == digest
        assert [one["repository"] for one in host.json("parked")] == ["addons/other"]
        assert "discarded" in ended(host, 0, "parked", "discard", "other")
        assert "nothing is parked" in ended(host, 1, "parked", "discard", "other")
        assert serving.stop() == 0
    assert ended(host, 0, "parked").strip() == "nothing is parked"
    assert host.json("parked", "discard", "--all") == []
    for arguments in (
        ["retry"],
        ["discard", "x", "--all"],
        ["discard", "../x"],
        ["--output", "json", "discard", "--all"],
    ):
        ended(host, 2, "parked", *arguments)
    kinds = [one["outcome"] for one in host.json("events", "--kind", "operation")]
    assert kinds == ["discarded"]


def test_why_says_what_was_decided_and_by_what(quiet_site: Site, tmp_path: Path) -> None:
    """For people in lines; of a name that cannot be, nothing."""
    site, host = quiet_site, quiet_site.host
    digest = push(site, tmp_path, "monitoring")
    with site.serve() as serving:
        assert serving.post(announcement("monitoring", "e1", digest=digest))[0] == 202
        wait_for("monitoring", lambda: host.digest("monitoring") == digest)
        served = ended(host, 0, "why", "monitoring")
        assert serving.stop() == 0
    alone = ended(host, 0, "why", "monitoring")
    for text in (served, alone):
        assert text.startswith("addons/monitoring: current, v1.0.0\n")
        assert "an event asked for a look" in text
        assert "distribution announced v1.0.0 by alice; accepted" in text
        assert "the registry has 1 tags: v1.0.0" in text
        assert digest in text
        assert "'addon-sync events --addon monitoring' lists more" in text
    assert "nothing is known of addons/nobody" in ended(host, 1, "why", "nobody")
    ended(host, 2, "why", "../etc")


def test_deliveries_are_replayed_by_number_and_identifier(quiet_site: Site, tmp_path: Path) -> None:
    """Without a receiver and through it; a dry run shows what it would lead to, and notes nothing."""
    site, host = quiet_site, quiet_site.host
    with site.serve() as serving:
        for leaf in ("monitoring", "logging"):
            assert serving.post(announcement(leaf, f"id-{leaf}"))[0] == 202
        serving.wait_for_line("logging")
        first, second = host.json("events", "--verdict", "accepted")
        digests = {leaf: push(site, tmp_path, leaf) for leaf in ("monitoring", "logging")}
        planned = host.json("replay", "--id", str(first["id"]), "--dry-run")["planned"]
        assert [(plan["status"]["repository"], plan["events"]) for plan in planned] == [("addons/monitoring", 1)]
        assert planned[0]["leads_to"].startswith("an installation of v1.0.0")
        assert host.json("events", "--verdict", "replayed") == []
        assert "Synced: 1" in ended(host, 0, "replay", "--id", str(first["id"]))
        assert serving.stop() == 0
    assert host.digest("logging") is None
    document = host.json("replay", "--id", "id-logging")
    assert document["summary"] == {"synced": 1, "skipped": 0, "failed": 0}
    assert document["replayed"]["repositories"] == {"addons/logging": 1}
    assert {leaf: host.digest(leaf) for leaf in digests} == digests
    notes = host.json("events", "--verdict", "replayed")
    assert [(one["origin"], one["events"][0]["event_id"]) for one in notes] == [
        (f"delivery {first['id']}", "id-monitoring"),
        (f"delivery {second['id']}", "id-logging"),
    ]
    assert "the journal keeps no body of delivery 999999999" in ended(host, 1, "replay", "--id", "999999999")
    assert "no body of event 99999999999999999999999" in ended(host, 1, "replay", "--id", "9" * 23)
    assert "--before" in ended(host, 2, "events", "--before", "9" * 23)
    assert "the journal keeps no body of event nobody-sent-this" in ended(host, 1, "replay", "--id", "nobody-sent-this")
    for arguments in ([], ["--id", "1", "--since", "1h"], ["file", "--failed"], ["--since", "soon"]):
        ended(host, 2, "replay", *arguments)


@pytest.mark.parametrize("served", [True, False], ids=["through a receiver", "without"])
def test_what_cannot_be_read_is_told_by_its_line_and_stops_nothing(
    quiet_site: Site, tmp_path: Path, served: bool
) -> None:
    """From a file and from standard input; exit code 1, and the rest is synced."""
    site, host = quiet_site, quiet_site.host
    digests = {leaf: push(site, tmp_path, leaf) for leaf in ("monitoring", "logging")}
    lines = [announcement("monitoring", "1").decode(), "not json", "", announcement("logging", "2").decode()[:-9], ""]
    lines += [announcement("logging", "3").decode(), '{"events": 7}', '{"unknown": "sender"}']
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(lines) + "\n")

    def judge() -> None:
        dry = json.loads(host.run("replay", str(file), "--dry-run", "--output", "json").stdout)
        assert {plan["status"]["repository"]: plan["events"] for plan in dry["planned"]} == {
            "addons/logging": 1,
            "addons/monitoring": 1,
        }
        assert host.digest("monitoring") is None
        done = host.run("replay", str(file), "--output", "json")
        assert done.returncode == 1
        document: dict[str, Any] = json.loads(done.stdout)
        problems = [problem.partition(":")[0] for problem in document["replayed"]["problems"]]
        assert problems == ["line 2", "line 4", "line 7", "line 8"]
        assert document["summary"] == {"synced": 2, "skipped": 0, "failed": 0}
        assert all(ISO.match(one["started"]) for one in document["addons"])
        text = ended(host, 1, "replay", "-", stdin=file.read_text())
        assert all(f"cannot be replayed: line {number}: " in text for number in (2, 4, 7, 8))
        origins = [one["origin"] for one in host.json("events", "--verdict", "replayed")]
        assert origins == [f"{name}, line {n}" for name in ("events.jsonl", "standard input") for n in (1, 6)]

    if served:
        with site.serve() as serving:
            judge()
            assert serving.stop() == 0
    else:
        judge()
    assert {leaf: host.digest(leaf) for leaf in digests} == digests
    ended(host, 2, "replay", str(tmp_path / "nothing"))


def test_only_the_quarantined_of_an_hour_are_replayed(quiet_site: Site, tmp_path: Path) -> None:
    """The other flags say which of them, and do not add what was accepted."""
    site, host = quiet_site, quiet_site.host
    with site.serve() as serving:
        assert serving.post(announcement("monitoring", "1"))[0] == 202
        assert serving.post(b"not json")[0] == 202
        assert serving.stop() == 0
    done = host.run("replay", "--quarantined", "--since", "1h", "--output", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["replayed"]["repositories"] == {}
    assert json.loads(done.stdout)["replayed"]["documents"] == 1
