"""``senders:`` in the settings file: whose credentials, in which forms, what is refused. Nothing of them is told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from receiver.config import Settings, load
from receiver.errors import ConfigError
from receiver.webhook.decode import BY_KEY

SECRET = "S3cret-of-twenty-and-more"


class Loader:
    """Loads a settings file beside the least that is needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "addon-sync.yaml"

    def __call__(self, yaml: str) -> Settings:
        self.file.write_text(yaml, encoding="utf-8")
        least = {"REGISTRY_URL": "oci://r", "K2S_INSTALL_DIR": str(self.folder)}
        return load(flags={}, environment=least, file=self.file)

    def words(self, yaml: str, key: str) -> tuple[str, ...]:
        return self(yaml).senders[key].words()

    def refused(self, yaml: str) -> str:
        with pytest.raises(ConfigError) as caught:
            self(yaml)
        assert "S3cret" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def loaded(tmp_path: Path) -> Loader:
    return Loader(tmp_path)


@pytest.mark.parametrize("key", BY_KEY)
def test_every_sender_and_alias_can_have_credentials(loaded: Loader, key: str) -> None:
    """By the name that its module gives it."""
    assert loaded.words(f"senders: {{{key}: {SECRET}}}", key) == (SECRET,)


def test_a_list_keeps_commas_and_blanks_and_a_file_has_a_line_each(loaded: Loader) -> None:
    """A secret of GitHub, or Harbor's header, may be any text."""
    (loaded.folder / "s").write_text("Basic a, b\r\n\nnext \n", encoding="utf-8")
    assert loaded.words("senders:\n  harbor: ['Bearer a, b', c]\n", "harbor") == ("Bearer a, b", "c")
    assert loaded.words(f"senders:\n  harbor_file: {loaded.folder / 's'}\n", "harbor") == ("Basic a, b", "next")


def test_a_file_is_read_again_when_it_changes(loaded: Loader) -> None:
    """Rotation without a restart."""
    file = loaded.folder / "s"
    file.write_text("old", encoding="utf-8")
    os.utime(file, (1, 1))
    secret = loaded(f"senders: {{ghcr_file: {file}}}").senders["ghcr"]
    assert secret.words() == ("old",)
    file.write_text("new", encoding="utf-8")
    os.utime(file, (2, 2))
    assert secret.words() == ("new",)


@pytest.mark.parametrize("yaml", ["", "senders:\n", "senders: {}\n", "senders: {ghcr: }\n"])
def test_without_a_credential_no_sender_is_configured(loaded: Loader, yaml: str) -> None:
    """A key without a value means that it is not set, as everywhere."""
    assert loaded(yaml).senders == {}


@pytest.mark.parametrize(
    ("yaml", "told"),
    [
        ("senders: {ghrc: S3cret}", "unknown key 'senders.ghrc' in FILE: did you mean 'senders.ghcr'?"),
        ("senders: {docker-hub: S3cret}", "did you mean 'senders.dockerhub'?"),
        ("senders: [S3cret]", "senders in FILE: a mapping is expected"),
        ("senders: S3cret", "senders in FILE: a mapping is expected"),
        ("senders: {ghcr: {S3cret: x}}", "senders.ghcr in FILE: a value of type dict does not fit"),
        ("senders: {ghcr: 5}", "senders.ghcr in FILE: a value of type int does not fit; write it in quotes"),
        ("senders: {ghcr: [S3cret, 5]}", "senders.ghcr in FILE: a list of texts is expected"),
        ("senders: {ghcr: ['S3cret\\n\\nx']}".replace("'", '"'), "senders.ghcr in FILE: an item of a list is one line"),
        ("senders: {ghcr_file: [S3cret]}", "senders.ghcr_file in FILE: a value of type list does not fit"),
        ("senders: {ghcr: S3cret, ghcr_file: S3cret}", "senders.ghcr in FILE and senders.ghcr_file are both set"),
        ("senders: {ghcr: S3cret, ghcr: S3cret}", "holds the key 'senders.ghcr' twice"),
        ("senders: {ghcr: S3cret}\nsenders: {nexus: S3cret}", "holds the key 'senders' twice"),
        ("senders: {ghcr: ' '}", "senders.ghcr in FILE is set and holds no word"),
        ("senders: {ghcr: []}", "senders.ghcr in FILE is set and holds no word"),
        ("sender: {ghcr: S3cret}", "did you mean 'senders'?"),
        ("senders.ghcr: S3cret", "unknown key 'senders.ghcr'"),
    ],
)
def test_what_is_wrong_is_named_by_its_key_and_never_quoted(loaded: Loader, yaml: str, told: str) -> None:
    """Errors are logged, and logs are shown to many."""
    assert told.replace("FILE", str(loaded.file)) in loaded.refused(yaml)


@pytest.mark.parametrize("key", ["dockerhub", "quay", "google"])
@pytest.mark.parametrize(
    "word", ["S3cret", "S3cret/of-twenty-and-more", "S3cret of twenty and more", "S3cret" * 3 + "ü"]
)
def test_a_secret_path_is_one_that_fits_and_cannot_be_guessed(loaded: Loader, key: str, word: str) -> None:
    """A proxy may rewrite other characters; whoever guesses a short one may send."""
    assert f"senders.{key} in {loaded.file}: it is part of a URL" in loaded.refused(
        f"senders: {{{key}: ['{SECRET}', '{word}']}}"
    )
    (loaded.folder / "s").write_text(word, encoding="utf-8")
    assert f"senders.{key}_file in {loaded.file}: " in loaded.refused(f"senders: {{{key}_file: {loaded.folder / 's'}}}")


def test_an_absent_file_is_named_at_the_start(loaded: Loader) -> None:
    """Not when the first sender comes."""
    assert loaded.refused(f"senders: {{nexus_file: {loaded.folder / 'absent'}}}").startswith("senders.nexus_file")


def test_credentials_are_in_no_text_of_the_settings(loaded: Loader) -> None:
    """Neither repr nor str."""
    settings = loaded(f"senders: {{ghcr: {SECRET}, quay: {SECRET}}}")
    assert SECRET not in f"{settings!r} {settings} {settings.senders}"


@pytest.mark.parametrize(("yaml", "pays"), [("insecure: true", False), (f"senders: {{ghcr: {SECRET}}}", True)])
def test_only_a_file_with_the_section_loads_the_table_of_senders(tmp_path: Path, yaml: str, *, pays: bool) -> None:
    """A scheduled command pays for its imports every few minutes."""
    (tmp_path / "c.yaml").write_text(yaml, encoding="utf-8")
    script = (
        "import sys; from pathlib import Path; from receiver.config import load\n"
        f"load(flags={{}}, environment={{'REGISTRY_URL': 'oci://r', 'K2S_INSTALL_DIR': {str(tmp_path)!r}}}, "
        f"file=Path({str(tmp_path / 'c.yaml')!r}))\n"
        "print('receiver.webhook.decode' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root, check=True)
    assert ended.stdout.strip() == str(pays)
