"""Credential helpers that answer, refuse, hang, babble or are none; real processes."""

import json
import os
import sys
import time
from pathlib import Path

import pytest

from receiver.config import load
from receiver.connect import registry_client
from receiver.errors import AccessDenied
from receiver.registry import credential_helper
from receiver.registry.auth import Credentials, IdentityToken
from receiver.registry.credential_helper import ask_helper
from tests.support.fake_registry import FakeRegistry
from tests.support.pulling import LAYER, NAME, PASSWORD
from tests.support.push import push_files

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the helpers are scripts with an interpreter line")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where helpers are found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def write_helper(folder: Path, name: str, body: str) -> None:
    """A helper in Python: ``server`` is what it was asked for."""
    path = folder / f"docker-credential-{name}"
    head = f"#!{sys.executable} -IS\nimport os, sys, time\nserver = sys.stdin.read()\nassert sys.argv[1:] == ['get']\n"
    path.write_text(head + body + "\n")
    path.chmod(0o755)


def answer(username: str, secret: str) -> str:
    document = json.dumps({"ServerURL": "https://x", "Username": username, "Secret": secret})
    return f"sys.stdout.write({document!r})"


def test_a_helper_gives_a_password_or_an_identity_token(folder: Path) -> None:
    """It is asked for the server on its standard input; the user ``<token>`` stands for an identity token."""
    write_helper(folder, "good", "assert server == 'registry.example:5000'\n" + answer("robot", "pa55"))
    write_helper(folder, "cloud", answer("<token>", "identity"))
    write_helper(folder, "empty", answer("", ""))

    assert ask_helper("good", "registry.example:5000") == Credentials(username="robot", password="pa55")
    assert ask_helper("cloud", "registry.example") == IdentityToken("identity")
    assert ask_helper("empty", "registry.example") is None


def test_a_server_that_a_helper_does_not_know_is_anonymous(folder: Path) -> None:
    """That answer of docker-credential-helpers is no failure."""
    write_helper(folder, "store", "print('credentials not found in native keychain'); sys.exit(1)")
    assert ask_helper("store", "registry.example") is None


@pytest.mark.parametrize(
    "body",
    [
        "print('s3cret: keychain is locked'); sys.exit(1)",
        "print('s3cret')",
        "pass",
        "print('[]')",
        'print(\'{"Username": 5, "Secret": "s3cret"}\')',
        "sys.stdout.write('s3cret' * 100_000)",
        "os.kill(os.getpid(), 9)",
    ],
)
def test_a_helper_that_fails_is_named_and_not_quoted(folder: Path, body: str) -> None:
    """Its name, how it ended, and nothing of what it said."""
    write_helper(folder, "bad", body)
    with pytest.raises(AccessDenied, match="docker-credential-bad") as caught:
        ask_helper("bad", "registry.example")
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_helper_that_babbles_is_cut_off(folder: Path) -> None:
    """At once, not when its time is up: it could fill the memory meanwhile."""
    write_helper(folder, "babble", "while True: sys.stdout.write('x' * 65536)")
    with pytest.raises(AccessDenied, match="answers with more than"):
        ask_helper("babble", "registry.example")


@pytest.mark.parametrize(
    "body",
    [
        "time.sleep(600)",
        "if os.fork(): os._exit(0)\ntime.sleep(600)",
        "os.close(1)\ntime.sleep(600)",
        "while True: time.sleep(0.01); sys.stdout.write(' '); sys.stdout.flush()",
    ],
    ids=["silent", "its child holds the pipe", "does not end", "drips"],
)
def test_a_helper_without_an_end_is_ended(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all that it has started; a sync is not held for ever."""
    monkeypatch.setattr(credential_helper, "TIMEOUT", 1.0)
    write_helper(folder, "stuck", f"open({str(folder / 'pid')!r}, 'w').write(str(os.getpid()))\n{body}")
    began = time.monotonic()
    with pytest.raises(AccessDenied, match="docker-credential-stuck"):
        ask_helper("stuck", "registry.example")
    assert time.monotonic() - began < 20
    group = int((folder / "pid").read_text())
    for _ in range(1000):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    pytest.fail("something of the helper still runs")


@pytest.mark.parametrize("name", ["../evil", "a/b", "a\\b", "", "..", "-x", "a b", "a\n", "é", "x" * 65, "/bin/sh"])
def test_a_helper_s_name_is_no_path(folder: Path, name: str) -> None:
    """What a configuration names is a program on the search path, or nothing."""
    write_helper(folder.parent, "evil", answer("robot", "pa55"))
    with pytest.raises(AccessDenied, match="helper that is none"):
        ask_helper(name, "registry.example")


def test_a_helper_in_the_working_folder_is_not_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by an empty nor by a relative part of the search path (Windows looks there first by itself)."""
    write_helper(folder, "near", answer("robot", "pa55"))
    monkeypatch.chdir(folder)
    for search in ("", ".", f"{os.pathsep}.{os.pathsep}"):
        monkeypatch.setenv("PATH", search)
        with pytest.raises(AccessDenied, match="not on the search path"):
            ask_helper("near", "registry.example")


def test_on_windows_a_helper_is_an_executable(tmp_path: Path) -> None:
    """Not a batch file, whose arguments a shell would read again; the system is simulated."""
    for suffix in ("", ".cmd", ".exe"):
        (tmp_path / f"docker-credential-wincred{suffix}").write_text("")
        (tmp_path / f"docker-credential-wincred{suffix}").chmod(0o755)
    found = credential_helper._find("docker-credential-wincred", search=str(tmp_path), system="nt")
    assert found == tmp_path / "docker-credential-wincred.exe"


def test_a_file_that_is_no_program_is_named(folder: Path) -> None:
    """Executable by its mode, and nothing that the system can run."""
    (folder / "docker-credential-odd").write_bytes(b"\x7fELF")
    (folder / "docker-credential-odd").chmod(0o755)
    with pytest.raises(AccessDenied, match="cannot be run"):
        ask_helper("odd", "registry.example")


def test_a_helper_does_not_see_our_secrets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the environment that its cloud needs, without what is ours."""
    monkeypatch.setenv("ADDON_SYNC_TOKEN", "s3cret")
    monkeypatch.setenv("AWS_PROFILE", "addons")
    write_helper(
        folder,
        "curious",
        "assert 's3cret' not in os.environ.values()\n"
        + answer("robot", "x").replace("x", "y")
        + "\nassert os.environ['AWS_PROFILE'] == 'addons'",
    )
    assert ask_helper("curious", "registry.example") is not None


async def test_a_registry_is_opened_by_a_helper(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From DOCKER_CONFIG to the header; the account of the settings comes before it."""
    with FakeRegistry(basic=("robot", PASSWORD)) as server:
        push_files(server.url, NAME, "v1.0.0", LAYER)
        write_helper(folder, "test", answer("robot", PASSWORD))
        (tmp_path / "docker").mkdir()
        (tmp_path / "docker/config.json").write_text(json.dumps({"credHelpers": {server.authority: "test"}}))
        environment = {
            "REGISTRY_URL": server.url,
            "INSECURE": "true",
            "K2S_INSTALL_DIR": str(tmp_path),
            "DOCKER_CONFIG": str(tmp_path / "docker"),
        }
        async with registry_client(load(flags={}, environment=environment, file=None)) as client:
            assert await client.tags(NAME) == ["v1.0.0"]

        environment |= {"ADDON_SYNC_REGISTRY_USERNAME": "robot", "ADDON_SYNC_REGISTRY_PASSWORD": "another"}
        async with registry_client(load(flags={}, environment=environment, file=None)) as client:
            with pytest.raises(AccessDenied, match="access refused"):
                await client.tags(NAME)
