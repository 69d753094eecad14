"""What registries are told: one for each sender, ready to paste, and none with a secret."""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from receiver.diagnosis.snippet import secret_words, snippet
from receiver.webhook.decode import BY_KEY
from receiver.webhook.proof import SecretPath, Signature, Token

ROOT = Path(__file__).parents[3]
ORIGIN = "https://receiver.local:8443"
URL = f"{ORIGIN}/v1/notifications"


@pytest.mark.parametrize("sender", sorted(BY_KEY))
def test_every_sender_has_one(sender: str) -> None:
    """With the address in its place, and the word that stands for what it shows."""
    found = snippet(sender, ORIGIN)
    assert "{{" not in found.configuration
    assert (f"{URL}/SECRET" if found.secret == "path" else URL) in found.configuration
    assert ("TOKEN" if found.secret == "token" else "SECRET") in found.configuration
    assert found.title
    assert found.place
    assert found.traps
    assert found.prefix.endswith("/")
    kinds = {"token": Token, "signature": Signature, "path": SecretPath}
    assert any(isinstance(proof, kinds[found.secret]) for proof in BY_KEY[sender].proofs)


def test_there_is_none_for_a_sender_that_there_is_not() -> None:
    """A file whose sender was renamed would never be shown."""
    files = {path.stem for path in (ROOT / "receiver" / "diagnosis" / "senders").iterdir()}
    assert files == set(BY_KEY)


def test_distribution_and_gitlab_are_told_the_same() -> None:
    """Durations carry units (bare numbers are nanoseconds), media types stand beside actions (broken before 3.1)."""
    (endpoint,) = yaml.safe_load(snippet("distribution", ORIGIN).configuration)["notifications"]["endpoints"]
    assert endpoint["url"] == URL
    assert endpoint["headers"] == {"Authorization": ["Bearer TOKEN"]}
    assert (endpoint["timeout"], endpoint["threshold"], endpoint["backoff"]) == ("2s", 5, "5s")
    assert endpoint["ignore"] == {"mediatypes": ["application/octet-stream"], "actions": ["pull", "mount"]}
    ruby = snippet("gitlab", ORIGIN).configuration
    assert re.findall(r"'(\w+)' => '([^']+)'", ruby) == [
        ("name", "addon-sync"), ("url", URL), ("timeout", "2s"), ("backoff", "5s"),
    ]  # fmt: skip


def test_zot_and_harbor_are_told_in_json() -> None:
    """Parsed, and each word where it belongs."""
    (sink,) = json.loads(snippet("zot", ORIGIN).configuration)["extensions"]["events"]["sinks"]
    assert sink == {"type": "http", "address": URL, "timeout": "5s", "credentials": {"token": "TOKEN"}}
    (target,) = json.loads(snippet("harbor", ORIGIN).configuration)["targets"]
    assert (target["address"], target["auth_header"]) == (URL, "Bearer TOKEN")


@pytest.mark.parametrize(
    ("sender", "proof", "token", "own", "words"),
    [
        ("zot", "token", "--token-file (/t)", None, "TOKEN stands for what is configured by --token-file (/t)"),
        ("harbor", "token", "--token-file", "senders.harbor", "by senders.harbor"),
        ("zot", "token", None, None, "No token is configured"),
        ("ghcr", "signature", "--token-file", None, "senders: {ghcr_file:"),
        (
            "quay",
            "path",
            None,
            "senders.quay_file (/q)",
            "SECRET stands for what is configured by senders.quay_file (/q)",
        ),
    ],
)
def test_what_the_word_stands_for(sender: str, proof: str, token: str | None, own: str | None, words: str) -> None:
    """A token that all senders share is no signature; the sender's own comes first."""
    assert words in secret_words(sender, proof, token=token, own=own)  # type: ignore[arg-type]  # one of three words


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize(("sender", "proof"), [("zot", "token"), ("ghcr", "signature")])
def test_the_command_that_makes_a_secret_leaves_it_to_its_owner(sender: str, proof: str, tmp_path: Path) -> None:
    """What we print must not be what doctor warns of."""
    words = secret_words(sender, proof, token=None, own=None)  # type: ignore[arg-type]  # one of three words
    command = re.search(r"\(umask .*?\.txt\)", words)
    assert command is not None
    subprocess.run(command[0].replace("python", sys.executable), shell=True, check=True, cwd=tmp_path, timeout=60)
    (made,) = tmp_path.iterdir()
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert len(made.read_text(encoding="utf-8").strip()) > 40
