"""Credentials from Docker's configuration: whose they are, where they come from, what is refused."""

import base64
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from receiver.errors import AccessDenied
from receiver.registry.auth import Credentials, IdentityToken
from receiver.registry.docker_config import HELPER_LIFE, MAX_CONFIG, DockerConfig, Found
from receiver.registry.location import Location

ROBOT = Credentials(username="robot", password="pa55:word")
AUTH = base64.b64encode(b"robot:pa55:word").decode()


class Helper:
    """Knows ``answers`` by server, and remembers what it was asked."""

    def __init__(self, **answers: Found) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answers = {name.replace("_", "."): answer for name, answer in answers.items()}
        self.now = 0.0

    def __call__(self, name: str, server: str) -> Found:
        self.asked.append((name, server))
        return self.answers.get(server)


def config(
    folder: Path, document: Any, *, registry: str = "https://registry.example", helper: Helper | None = None
) -> DockerConfig:
    folder.mkdir(exist_ok=True)
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    (folder / "config.json").write_bytes(body)
    helper = helper or Helper()
    return DockerConfig(folder, Location.parse(registry).origin, helper=helper, clock=lambda: helper.now)


@pytest.mark.parametrize(
    ("registry", "key"),
    [
        ("https://registry.example", "registry.example"),
        ("https://registry.example", "registry.example:443"),
        ("https://registry.example:443", "registry.example"),
        ("http://registry.example", "registry.example:80"),
        ("https://registry.example", "https://registry.example"),
        ("https://registry.example", "https://Registry.Example/v2/"),
        ("https://registry.example:5000", "registry.example:5000"),
        ("https://registry.example:5000", "http://registry.example:5000/v1/"),
        ("https://[::1]:5000", "[::1]:5000"),
    ],
)
def test_an_entry_is_found_by_its_host(tmp_path: Path, registry: str, key: str) -> None:
    """With and without scheme, path and usual port, as Docker compares them."""
    assert config(tmp_path, {"auths": {key: {"auth": AUTH}}}, registry=registry)() == ROBOT


@pytest.mark.parametrize(
    "key",
    [
        "registry.example:5000",
        "registry.example.evil",
        "evil/registry.example",
        "https://evil.example/registry.example",
        "https://index.docker.io/v1/",
        "example",
        "",
    ],
)
def test_the_entry_of_another_host_is_not_ours(tmp_path: Path, key: str) -> None:
    """Another port is another registry; a password goes to nobody that it was not given for."""
    assert config(tmp_path, {"auths": {key: {"auth": AUTH}}})() is None


def test_the_plain_key_comes_before_those_that_only_look_like_it(tmp_path: Path) -> None:
    """An old entry with a path does not win over the one that docker login writes now."""
    old = base64.b64encode(b"old:old").decode()
    document = {"auths": {"https://registry.example/v1/": {"auth": old}, "registry.example": {"auth": AUTH}}}
    assert config(tmp_path, document)() == ROBOT


def test_an_entry_holds_a_password_or_an_identity_token(tmp_path: Path) -> None:
    """``auth`` in base64 (Docker pads the password with zero bytes), both in plain words (Kubernetes), or a token."""
    for entry, expected in [
        ({"auth": base64.b64encode(b"robot:pa55:word\0\0").decode()}, ROBOT),
        ({"username": "robot", "password": "pa55:word"}, ROBOT),
        ({"auth": AUTH, "identitytoken": "identity"}, IdentityToken("identity")),
        ({}, None),
        ({"auth": "", "email": "x@example"}, None),
    ]:
        assert config(tmp_path, {"auths": {"registry.example": entry}})() == expected


def test_the_helper_of_a_host_comes_before_the_store_and_the_file(tmp_path: Path) -> None:
    """Docker's order; the helper is asked by the words of the configuration."""
    helper = Helper(registry_example=ROBOT)
    document: dict[str, Any] = {
        "auths": {"registry.example": {"auth": base64.b64encode(b"x:x").decode()}},
        "credsStore": "desktop",
        "credHelpers": {"registry.example": "ecr-login", "other.example": "gcr"},
    }
    assert config(tmp_path, document, helper=helper)() == ROBOT
    assert helper.asked == [("ecr-login", "registry.example")]

    del document["credHelpers"]
    helper = Helper(registry_example=IdentityToken("t"))
    assert config(tmp_path, document, helper=helper)() == IdentityToken("t")
    assert helper.asked == [("desktop", "registry.example")]


def test_the_store_is_asked_by_the_words_of_the_login(tmp_path: Path) -> None:
    """``docker login https://registry.example`` stored it under these words; what it does not know, the file may."""
    helper = Helper()
    document = {"auths": {"https://registry.example": {"auth": AUTH}}, "credsStore": "desktop"}
    assert config(tmp_path, document, helper=helper)() == ROBOT
    assert helper.asked == [("desktop", "https://registry.example")]

    assert config(tmp_path, {"credsStore": "desktop"}, helper=helper)() is None
    assert helper.asked[1:] == [("desktop", "registry.example")]


def test_an_answer_is_used_again_for_a_minute(tmp_path: Path) -> None:
    """A poll of hundreds of addons does not start hundreds of programs; an expired token is replaced all the same."""
    helper = Helper(registry_example=ROBOT)
    found = config(tmp_path, {"credHelpers": {"registry.example": "gcr"}}, helper=helper)
    for _ in range(3):
        assert found() == ROBOT
    assert len(helper.asked) == 1
    helper.now += HELPER_LIFE
    found()
    assert len(helper.asked) == 2


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """After docker login and docker logout, without a restart; what a helper said before does not count any more."""
    helper = Helper(registry_example=ROBOT)
    found = config(tmp_path, {"credHelpers": {"registry.example": "gcr"}}, helper=helper)
    found()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"registry.example": {"identitytoken": "new"}}}))
    assert found() == IdentityToken("new")
    (tmp_path / "config.json").unlink()
    assert found() is None
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {"registry.example": "gcr"}}))
    found()
    assert len(helper.asked) == 2


def test_a_login_ends_what_a_helper_said_before(tmp_path: Path) -> None:
    """The same helper, asked anew: docker login has told it something else."""
    helper = Helper(registry_example=ROBOT)
    document = {"credHelpers": {"registry.example": "gcr"}}
    found = config(tmp_path, document, helper=helper)
    found()
    (tmp_path / "config.json").write_text(json.dumps(document | {"auths": {}}))
    found()
    assert len(helper.asked) == 2


def test_those_who_ask_together_start_one_helper(tmp_path: Path) -> None:
    """Workers ask in threads of their own, all at the same moment."""
    everybody = threading.Barrier(8)

    class Slow(Helper):
        def __call__(self, name: str, server: str) -> Found:
            time.sleep(0.05)  # long enough for all the others to come in, if they could
            return super().__call__(name, server)

    helper = Slow(registry_example=ROBOT)
    found = config(tmp_path, {"credHelpers": {"registry.example": "gcr"}}, helper=helper)

    def ask(_: int) -> Found:
        everybody.wait(10)
        return found()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [ROBOT] * 8
    assert len(helper.asked) == 1


def test_an_unchanged_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time, size and number say that it is the same."""
    found = config(tmp_path, {"auths": {"registry.example": {"auth": AUTH}}})
    found()
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("read again"))
    assert found() == ROBOT


def test_without_a_file_there_are_no_credentials(tmp_path: Path) -> None:
    """Most hosts have none: anonymous."""
    assert DockerConfig(tmp_path / "nothing", Location.parse("https://registry.example").origin)() is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"auths": {"registry.example": {"auth": "no-base64!s3cret"}}}',
        b'{"auths": {"registry.example": {"auth": "czNjcmV0"}}}',
        b'{"auths": {"registry.example": "s3cret"}}',
        b'{"auths": {}, "auths": {"s3cret": {}}}',
        b'{"auths": {"registry.example": {"auth": "cm9i!b3Q6cGE1NQ=="}}}',
        b"{}" + b" " * MAX_CONFIG,
    ],
)
def test_a_damaged_file_is_named_and_not_quoted(tmp_path: Path, body: bytes) -> None:
    """The operator reads which file to mend; what stands in it stays there."""
    found = config(tmp_path, body)
    for _ in range(2):  # a file that could not be used is not taken for an empty one
        with pytest.raises(AccessDenied, match=r"config\.json") as caught:
            found()
        assert "s3cret" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_mark_at_the_beginning_is_no_damage(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    body = b"\xef\xbb\xbf" + json.dumps({"auths": {"registry.example": {"auth": AUTH}}}).encode()
    assert config(tmp_path, body)() == ROBOT


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    """An error, not an anonymous pull."""
    (tmp_path / "config.json").mkdir()
    with pytest.raises(AccessDenied, match="DOCKER_CONFIG"):
        DockerConfig(tmp_path, Location.parse("https://registry.example").origin)()
