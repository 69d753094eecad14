"""What a newcomer sees: the second command of the README, from a registry to an addon in the catalogue."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.docker_registry import DockerRegistry, free_port, require_program
from tests.support.fake_registry import FakeRegistry

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the quickstart is for Debian and Ubuntu")
_TIME = 100


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where the quickstart puts its folder; empty again at the end of every test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def environment(temporary: Path, **changes: str) -> dict[str, str]:
    foreign = ("ADDON_SYNC", "REGISTRY_URL", "INSECURE", "K2S_")
    kept = {key: text for key, text in os.environ.items() if not key.startswith(foreign)}
    return {**kept, "TMPDIR": str(temporary), **changes}


@contextmanager
def quickstart(temporary: Path, *arguments: str, **changes: str) -> Iterator[subprocess.Popen[str]]:
    """The Python part of the quickstart, with the interpreter of the tests."""
    command = [sys.executable, "-m", "scripts.quickstart", *arguments]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(temporary, **changes),
        cwd=ROOT,
    )
    try:
        yield process
    finally:
        # Where a test fails, it still has to clear up what it started itself.
        process.terminate()
        process.communicate(timeout=30)


def told(temporary: Path, **changes: str) -> tuple[int, str]:
    """Exit code and output of a quickstart that ends by itself."""
    with quickstart(temporary, "--once", **changes) as process:
        output, _ = process.communicate(timeout=_TIME)
        return process.returncode, output


def until(text: str, process: subprocess.Popen[str]) -> str:
    """What it prints up to the line that has ``text`` in it."""
    assert process.stdout is not None
    output = ""
    while text not in output:
        line = process.stdout.readline()
        assert line, output
        output += line
    return output


def left_behind(temporary: Path) -> list[str]:
    """Files in the temporary folder, and processes that were started with it in their command or environment."""
    found = [str(path) for path in temporary.iterdir()]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(temporary).encode() in text:
            found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
    return found


@pytest.mark.registry
def test_a_push_to_the_real_registry_arrives(temporary: Path) -> None:
    """Event, sync and listing are shown; the exit code is 0, and nothing stays."""
    require_program()
    code, output = told(temporary)
    assert code == 0, output
    assert "Registry: docker-registry" in output
    assert "Event: accepted by the receiver" in output
    assert "[AddonSync] Digest changed -- proceeding with full sync" in output
    assert re.search(r"Sync: installed \d+ ms after the push had ended", output)
    assert "hello" in output.partition("Listed:")[2]
    assert left_behind(temporary) == []


def test_without_any_registry_the_one_of_the_tests_stands_in(temporary: Path, tmp_path: Path) -> None:
    """It says that it does, and how to get a real one; the story is the same."""
    code, output = told(temporary, PATH=str(tmp_path))
    assert code == 0, output
    assert "the small registry of the tests" in output
    assert "sudo apt-get install docker-registry" in output
    assert "Event: accepted by the receiver" in output
    assert "hello" in output.partition("Listed:")[2]
    assert left_behind(temporary) == []


@pytest.mark.registry
def test_a_registry_of_ones_own_is_polled(temporary: Path) -> None:
    """Every two seconds, as it says, also where the addon is there from an earlier run; what stays there is named."""
    with DockerRegistry() as registry:
        for version in ("v1.0.0", "v1.1.0"):
            code, output = told(temporary, REGISTRY_URL=f"oci://{registry.authority}", INSECURE="true")
            assert code == 0, output
            assert f"Push: addon-sync-quickstart/hello:{version}" in output
            found = re.search(r"Sync: installed (\d+) ms after the push had ended", output)
            assert found is not None
            assert int(found[1]) < 10_000, output
            assert "hello" in output.partition("Listed:")[2]
            assert f"left in your registry: addon-sync-quickstart/hello:{version}\n" in output
            assert re.search(r"curl -X DELETE http\S+/v2/addon-sync-quickstart/hello/manifests/sha256:\w{64}\n", output)
            assert "notifications:" not in output  # with an address that ends with it
    assert left_behind(temporary) == []


def test_what_a_registry_of_ones_own_needs_for_events_is_told_while_they_can_arrive(temporary: Path) -> None:
    """What to paste holds for this run, and the receiver's warning of pushes that none announced is explained."""
    with FakeRegistry() as registry, quickstart(temporary, REGISTRY_URL=registry.url, INSECURE="true") as process:
        output = until("Ctrl-C ends it all", process)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
    said = output.partition("8. Now you")[2]
    assert "it will warn of pushes that none announced" in said
    assert "notifications:" in said
    assert "left in your registry: whatever else" in rest
    assert left_behind(temporary) == []


def commands(output: str) -> Iterator[list[str]]:
    """What is to be typed, with the settings that it needs."""
    settings = re.search(r"export (.*)", output)
    assert settings is not None
    for command in re.findall(r"(\S*addon-sync \w.*|\S+ -m receiver \w.*)", output.partition("8. Now you")[2]):
        yield ["env", *settings[1].split(), *command.split()]


def test_a_registry_that_does_not_answer_is_named(temporary: Path) -> None:
    """With what to change; nothing was started."""
    code, output = told(temporary, REGISTRY_URL=f"http://127.0.0.1:{free_port()}", INSECURE="true")
    assert code == 1
    assert "no registry answers" in output
    assert left_behind(temporary) == []


def test_a_failure_shows_what_the_program_said_last(temporary: Path) -> None:
    """Its log is gone with the temporary folder."""
    with FakeRegistry() as registry:
        wrong = {"REGISTRY_URL": registry.url, "INSECURE": "true", "ADDON_SYNC_REGISTRY_USERNAME": "only half of it"}
        code, output = told(temporary, **wrong)
    assert code == 1
    assert "quickstart failed: the receiver ended with exit code" in output
    assert "ADDON_SYNC_REGISTRY_PASSWORD" in output
    assert left_behind(temporary) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stays_up_until_it_is_stopped(temporary: Path, tmp_path: Path, number: signal.Signals) -> None:
    """What it prints to try next works meanwhile: another version arrives too."""
    with quickstart(temporary, PATH=str(tmp_path)) as process:
        output = until("Ctrl-C ends it all", process)
        found = re.search(r"an update:\s+\S+ (-m scripts\.sample_addon .*)", output)
        assert found is not None
        update = [sys.executable, *found[1].split()]
        subprocess.run(update, check=True, capture_output=True, timeout=60, cwd=ROOT, env=environment(temporary))
        until("Digest changed", process)
        for command in commands(output):
            if "--follow" not in command:
                result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, cwd=ROOT)
                assert "hello" in result.stdout if "status" in command else "http://127.0.0.1" in result.stdout
        process.send_signal(number)
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0, output
    assert left_behind(temporary) == []


def test_stopped_in_the_middle_it_leaves_nothing(temporary: Path, tmp_path: Path) -> None:
    """While the registry or the receiver is still starting."""
    with quickstart(temporary, "--once", PATH=str(tmp_path)) as process:
        deadline = time.monotonic() + 30
        while not list(temporary.iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 130, output
    assert left_behind(temporary) == []


@pytest.mark.slow
@pytest.mark.timeout(400)  # packages are fetched from an index
def test_the_whole_of_it_works_from_a_fresh_copy(temporary: Path, tmp_path: Path) -> None:
    """Only what git knows is there: the environment is made, the project installed, and the story told."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    copy = tmp_path / "clone"
    for name in filter(None, listing.stdout.splitlines()):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    command = [str(copy / "scripts" / "quickstart"), "--once"]
    for limit in (300, 60):  # the second run installs nothing
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit,
            env=environment(temporary),
            cwd=tmp_path,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        assert "Listed:" in result.stdout
        assert left_behind(temporary) == []
