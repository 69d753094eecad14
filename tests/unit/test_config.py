"""Settings: names and defaults, who overrides whom, what is refused and how it is said; secrets stay secret."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from receiver.config import Given, Settings, deciding, differing, load
from receiver.document import replaced
from receiver.errors import ConfigError
from receiver.registry.proxy import parse_exemptions
from receiver.secret import Secret, password, tokens
from receiver.settings_table import SETTINGS
from tests.support.account import another_account

CONTRACT = {
    "REGISTRY_URL": None,
    "K2S_INSTALL_DIR": None,
    "INSECURE": "false",
    "ADDON_SYNC_LISTEN": "127.0.0.1:8080",
    "ADDON_SYNC_TOKEN": None,
    "ADDON_SYNC_STATE_DIR": None,
    "ADDON_SYNC_CONCURRENCY": "4",
    "ADDON_SYNC_POLL_INTERVAL": "5m",
    "ADDON_SYNC_REPOSITORY_PREFIX": "addons/",
    "ADDON_SYNC_REPOSITORIES": "",
    "ADDON_SYNC_TAG_POLICY": "latest-or-semver",
    "ADDON_SYNC_SEMVER_RANGE": ">=0.0.0-0",
    "ADDON_SYNC_REGISTRY_USERNAME": None,
    "ADDON_SYNC_REGISTRY_PASSWORD": None,
    "ADDON_SYNC_CA_FILE": None,
    "ADDON_SYNC_CLIENT_CERT": None,
    "ADDON_SYNC_CLIENT_KEY": None,
    "ADDON_SYNC_MAX_LAYER_SIZE": "256MiB",
    "ADDON_SYNC_MAX_ADDON_SIZE": "1GiB",
    "ADDON_SYNC_MAX_FILES": "50000",
    "ADDON_SYNC_LOG_FORMAT": "text",
}


@pytest.fixture
def install(tmp_path: Path) -> Path:
    folder = tmp_path / "k"
    folder.mkdir()
    return folder


class Loader:
    """Loads settings of which only those that a test names differ from the least that is needed."""

    def __init__(self, install: Path, folder: Path) -> None:
        self.file = folder / "addon-sync.yaml"
        self.least = {"REGISTRY_URL": "oci://registry.local:30500", "K2S_INSTALL_DIR": str(install)}

    def __call__(
        self, environment: Mapping[str, str] | None = None, *, yaml: str | None = None, **flags: str
    ) -> Settings:
        if yaml is not None:
            self.file.write_text(yaml, encoding="utf-8")
        return load(
            flags=flags,
            environment={**self.least, **(environment or {})},
            file=None if yaml is None else self.file,
            system="posix",
        )

    def refused(self, environment: Mapping[str, str] | None = None, *, yaml: str | None = None, **flags: str) -> str:
        with pytest.raises(ConfigError) as caught:
            self(environment, yaml=yaml, **flags)
        return str(caught.value)


@pytest.fixture
def loaded(install: Path, tmp_path: Path) -> Loader:
    return Loader(install, tmp_path)


# ---- names, defaults, precedence ----


def test_names_and_defaults_are_those_of_the_contract() -> None:
    """Users and their deployments hold on to them."""
    found = {setting.name: setting.default for setting in SETTINGS}
    assert {name: found.get(name, "absent") for name in CONTRACT} == CONTRACT
    extra = {
        "ADDON_SYNC_MAX_BODY_SIZE",
        "ADDON_SYNC_JOURNAL_AGE",
        "ADDON_SYNC_JOURNAL_SIZE",
        "ADDON_SYNC_KEEP_RELEASES",
        "ADDON_SYNC_REPAIR_DRIFT",
        "ADDON_SYNC_REQUEST_RATE",
        "ADDON_SYNC_POLL_INTERVAL_MIN",
        "ADDON_SYNC_POLL_INTERVAL_MAX",
        "ADDON_SYNC_FLUX_TOKEN",
        "ADDON_SYNC_FLUX_WEBHOOK",
        "ADDON_SYNC_NO_PROXY",
        "ADDON_SYNC_PROXY",
        "ADDON_SYNC_TOKEN_SERVICES",
        "DOCKER_CONFIG",
        "ADDON_SYNC_API_TOKEN",
        "ADDON_SYNC_TLS_CERT",
        "ADDON_SYNC_TLS_KEY",
        "ADDON_SYNC_TLS_CLIENT_CA",
    }
    limits = {setting.name for setting in SETTINGS if not setting.has_flag}  # tests/unit/test_limits.py
    assert set(found) - set(CONTRACT) - limits == extra


def test_defaults_become_values(loaded: Loader, install: Path) -> None:
    """With nothing set but what is required."""
    settings = loaded()
    assert settings.registry.url == "https://registry.local:30500"
    assert settings.catalogue == install / "addons"
    assert settings.state_dir == install / ".addon-sync"
    assert (settings.listen.host, settings.listen.port, settings.poll_interval) == ("127.0.0.1", 8080, 300)
    assert (settings.max_layer_size, settings.max_addon_size, settings.max_files) == (256 * 2**20, 2**30, 50_000)
    assert (settings.insecure, settings.repositories, settings.token.configured) == (False, (), False)


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default(loaded: Loader) -> None:
    """Each layer alone, then with the one above it."""
    assert loaded().concurrency == 4
    assert loaded(yaml="concurrency: 5").concurrency == 5
    assert loaded({"ADDON_SYNC_CONCURRENCY": "6"}, yaml="concurrency: 5").concurrency == 6
    assert loaded({"ADDON_SYNC_CONCURRENCY": "6"}, yaml="concurrency: 5", concurrency="7").concurrency == 7


def test_an_address_is_blamed_on_what_gave_it() -> None:
    """A command's own argument is over every setting, and is named in its place."""
    given: dict[str, Any] = {
        "flags": {"registry_url": "oci://flag"},
        "environment": {"REGISTRY_URL": "a/b"},
        "file": None,
    }
    settings = load(**given, registry="argument:5000", remote_only=True)
    assert settings.registry.authority == "argument:5000"
    assert settings.registry_named == "the argument REGISTRY"
    assert load(**given, remote_only=True).registry_named == "REGISTRY_URL"
    for wrong in ("a/b", "u:p@h", "http://h", "a..b", "[x"):
        with pytest.raises(ConfigError, match=r"^the argument REGISTRY"):
            load(**given, registry=wrong, remote_only=True)


def test_each_value_tells_where_it_comes_from(loaded: Loader, tmp_path: Path) -> None:
    """By the words that the operator would look for; the text as it was written."""
    secret = tmp_path / "password"
    secret.write_text("S3cret-of-quay-and-registry")
    settings = loaded(
        {"ADDON_SYNC_LISTEN": ":9", "ADDON_SYNC_TOKEN": "S3cret", "ADDON_SYNC_REGISTRY_USERNAME": "u"},
        yaml="listen: ':8'\npoll_interval: 10m\nsenders: {ghcr: S3cret, quay_file: " + str(secret) + "}\n",
        concurrency="7",
        registry_password_file=str(secret),
    )
    assert settings.given["ADDON_SYNC_CONCURRENCY"] == Given("flag", "--concurrency", "7")
    assert settings.given["ADDON_SYNC_LISTEN"] == Given("environment", "ADDON_SYNC_LISTEN", ":9")
    assert settings.given["ADDON_SYNC_POLL_INTERVAL"] == Given("file", f"poll_interval in {loaded.file}", "10m")
    assert settings.given["ADDON_SYNC_MAX_FILES"] == Given("default", text="50000")
    assert settings.given["ADDON_SYNC_TOKEN"] == Given("environment", "ADDON_SYNC_TOKEN")
    assert settings.given["ADDON_SYNC_REGISTRY_PASSWORD"] == Given("flag", "--registry-password-file", str(secret))
    assert settings.given["senders.ghcr"] == Given("file", f"senders.ghcr in {loaded.file}")
    assert settings.given["senders.quay"] == Given("file", f"senders.quay_file in {loaded.file}", str(secret))
    assert "S3cret" not in repr(settings.given)
    proxied = loaded({"ADDON_SYNC_PROXY": "http://p:1", "NO_PROXY": ".local"})
    assert proxied.given["ADDON_SYNC_NO_PROXY"] == Given("environment", "NO_PROXY", ".local")
    assert loaded({"NO_PROXY": ".local"}).given["ADDON_SYNC_NO_PROXY"] == Given("default")


def test_what_another_version_does_not_tell_is_no_difference(loaded: Loader) -> None:
    """The receiver that runs may be older, and have none of a setting; of the others each is compared."""
    settings = loaded()
    assert differing(settings, {}) == []
    assert differing(settings, {**deciding(settings), "ADDON_SYNC_TAG_POLICY": "semver"}) == ["ADDON_SYNC_TAG_POLICY"]
    assert differing(settings, {"INSECURE": "true", "OF_TOMORROW": "x"}) == ["INSECURE"]


def test_a_variable_that_is_set_to_nothing_is_not_set(loaded: Loader) -> None:
    """A ConfigMap key without a value means the default."""
    assert loaded({"ADDON_SYNC_CONCURRENCY": " "}, yaml="concurrency: 5").concurrency == 5


def test_the_install_folder_has_a_default_on_windows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated: C:\\k where os.name is nt; elsewhere it is required."""
    environment = {"REGISTRY_URL": "oci://r"}
    with pytest.raises(ConfigError, match=r"K2S_INSTALL_DIR 'C:\\k' is not an existing folder"):
        load(flags={}, environment=environment, file=None, system="nt")
    with pytest.raises(ConfigError, match=r"K2S_INSTALL_DIR is not set.*--k2s-install-dir"):
        load(flags={}, environment=environment, file=None, system="posix")
    monkeypatch.setattr("receiver.config._is_folder", lambda _: True)
    assert str(load(flags={}, environment=environment, file=None, system="nt").install_dir) == "C:\\k"


def test_a_folder_that_this_account_may_not_look_into_is_told_with_the_remedy(loaded: Loader, install: Path) -> None:
    """It is there for the service, so it is no typing error."""
    install.parent.chmod(0o700)
    remedy = "Permission denied: run it as the account that serve runs as"
    with another_account(), pytest.raises(ConfigError, match=f"K2S_INSTALL_DIR .* cannot be looked at: {remedy}"):
        load(flags={}, environment={"K2S_INSTALL_DIR": str(install)}, file=None, local_only=True)


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), RuntimeError("Symlink loop from 'addons'")]
)
def test_a_state_folder_that_cannot_be_compared_with_the_catalogue_is_told(
    loaded: Loader, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Simulated: drives may refuse, and up to Python 3.12 links in a circle are an error."""

    def refused(_: Path) -> None:
        raise error

    monkeypatch.setattr(Path, "resolve", refused)
    with pytest.raises(ConfigError, match=r"ADDON_SYNC_STATE_DIR .* cannot be looked at: .*(denied|loop)"):
        loaded()


def test_commands_that_stay_on_this_machine_need_no_registry(loaded: Loader, install: Path) -> None:
    """``ls`` works before anything else is set up."""
    settings = load(flags={}, environment={"K2S_INSTALL_DIR": str(install)}, file=None, local_only=True)
    assert settings.catalogue == install / "addons"


# ---- the file ----


def test_the_file_takes_every_setting_by_its_key(loaded: Loader, tmp_path: Path) -> None:
    """The names in lower case without the prefix."""
    (tmp_path / "t").write_text("one\ntwo\n", encoding="utf-8")
    settings = loaded(
        yaml=f"insecure: true\nlisten: '[::1]:0'\ntoken_file: {tmp_path / 't'}\nmax_files: 9\npoll_interval: 0\n"
        "repositories: [addons/a, b]\njournal_age: 2d\nmax_layer_size: 4096\ntag_policy: semver\nlog_format: json\n"
        "semver_range: '>=1.0.0, <2.0.0'\nregistry_username: u\nregistry_password: 'a, b'\nstate_dir:\n"
    )
    assert settings.registry.url == "http://registry.local:30500"
    assert (settings.listen.host, settings.listen.port) == ("::1", 0)
    assert settings.token.words() == ("one", "two")
    assert settings.registry_password.word() == "a, b"
    assert settings.repositories == ("addons/a", "addons/b")
    assert (settings.max_files, settings.poll_interval, settings.max_layer_size) == (9, 0, 4096)


def test_an_empty_file_and_one_from_a_windows_editor_are_taken(loaded: Loader) -> None:
    """Comments only; a byte order mark."""
    assert loaded(yaml="# nothing yet\n").concurrency == 4
    assert loaded(yaml="\ufeffconcurrency: 5\r\n").concurrency == 5


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("concurency", "concurrency"),
        ("registry-url", "registry_url"),
        ("ADDON_SYNC_LISTEN", "listen"),
        ("tokenfile", "token_file"),
    ],
)
def test_an_unknown_key_is_named_with_the_one_that_was_meant(loaded: Loader, key: str, meant: str) -> None:
    """A mistyped key that was ignored would be found in production."""
    message = loaded.refused(yaml=f"{key}: x")
    assert f"unknown key '{key}' in {loaded.file}" in message
    assert f"did you mean '{meant}'?" in message


@pytest.mark.parametrize(
    ("yaml", "key"),
    [
        ("concurrency: true", "concurrency"),
        ("concurrency: 4.5", "concurrency"),
        ("concurrency: [4]", "concurrency"),
        ("concurrency: {a: 1}", "concurrency"),
        ("registry_url: 5000", "registry_url"),
        ("listen: [a]", "listen"),
        ("listen: 8080", "listen"),
        ("repositories: [1]", "repositories"),
        ("semver_range: 1.10", "semver_range"),
        ("semver_range: 2024-01-01", "semver_range"),
        ("registry_username: 0123", "registry_username"),
        ("token: 0123", "token"),
        ("token: [1]", "token"),
        ("token_file: 5", "token_file"),
        ("insecure: [true]", "insecure"),
        ("k2s_install_dir: 1", "k2s_install_dir"),
        ("state_dir: true", "state_dir"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_its_key(loaded: Loader, yaml: str, key: str) -> None:
    """YAML would have read 0123 as 83: texts stand in quotes."""
    assert loaded.refused(yaml=yaml).startswith(f"{key} in {loaded.file}: ")


def test_the_remedy_for_a_number_in_the_place_of_a_text_is_told(loaded: Loader) -> None:
    """The one thing to do is to quote it."""
    assert "write it in quotes" in loaded.refused(yaml="registry_username: 0123")
    assert "write each in quotes" in loaded.refused(yaml="repositories: [1]")


def test_a_key_that_stands_twice_is_refused(loaded: Loader) -> None:
    """YAML takes the last without a word."""
    assert "'concurrency' twice" in loaded.refused(yaml="concurrency: 1\nconcurrency: 2")


@pytest.mark.parametrize(
    "yaml", ["- a", "text", "3", "{a: b", "\0", "a: \t- b", "a: 2024-99-99", "? [a]\n: b", "[" * 500]
)
def test_a_file_that_is_no_mapping_is_refused_by_its_name(loaded: Loader, yaml: str) -> None:
    """Damaged, odd or of another kind: always one line, never a traceback."""
    assert str(loaded.file) in loaded.refused(yaml=yaml)


def test_a_file_that_cannot_be_read_is_named(loaded: Loader, tmp_path: Path) -> None:
    """Absent, a folder, or in another encoding."""
    odd = tmp_path / "utf16.yaml"
    odd.write_bytes("concurrency: 4".encode("utf-16"))
    for file in (tmp_path / "absent.yaml", tmp_path, odd):
        with pytest.raises(ConfigError, match=f"{file.name}'"):
            load(flags={}, environment=loaded.least, file=file)


# ---- what is refused, and how ----


@pytest.mark.parametrize(
    ("name", "text", "remedy"),
    [
        ("INSECURE", "yes", "expected true or false"),
        ("ADDON_SYNC_LISTEN", "8080", "expected address:port"),
        ("ADDON_SYNC_CONCURRENCY", "0", "expected a whole number"),
        ("ADDON_SYNC_POLL_INTERVAL", "300", "expected a duration such as"),
        ("ADDON_SYNC_MAX_LAYER_SIZE", "64MB", "expected a size such as"),
        ("ADDON_SYNC_REPOSITORY_PREFIX", "addons", "ends with a slash"),
        ("ADDON_SYNC_REPOSITORY_PREFIX", "Addons/", "not a repository name"),
        ("ADDON_SYNC_REPOSITORIES", "addons/../x", "not a repository name"),
        ("ADDON_SYNC_REPOSITORIES", "addons/common", "reserved"),
        ("ADDON_SYNC_TAG_POLICY", "newest", "expected latest-or-semver or semver"),
        ("ADDON_SYNC_SEMVER_RANGE", "^1.2.0", "as in >=1.2.0"),
        ("ADDON_SYNC_SEMVER_RANGE", ">=1.2", "as in >=1.2.0"),
        ("ADDON_SYNC_LOG_FORMAT", "JSON", "expected text or json"),
        ("REGISTRY_URL", "oci://host/addons", "host and port only"),
        ("REGISTRY_URL", "oci://user@host", "ADDON_SYNC_REGISTRY_USERNAME"),
        ("REGISTRY_URL", "ftp://host", "expected oci://host[:port]"),
        ("REGISTRY_URL", "http://host", "set INSECURE=true"),
        ("K2S_INSTALL_DIR", "/nowhere/at/all", "is not an existing folder"),
        ("ADDON_SYNC_STATE_DIR", "a\0b", "expected a path"),
    ],
)
def test_a_wrong_value_names_its_variable_and_the_remedy(loaded: Loader, name: str, text: str, remedy: str) -> None:
    """Who reads it should not need the manual."""
    message = loaded.refused({name: text})
    assert name in message
    assert remedy in message


def test_where_a_wrong_value_came_from_is_told(loaded: Loader) -> None:
    """Flag, variable and key are spelled as the user spelled them."""
    assert loaded.refused(max_files="x").startswith("--max-files: 'x': ")
    assert loaded.refused({"ADDON_SYNC_MAX_FILES": "x"}).startswith("ADDON_SYNC_MAX_FILES: 'x': ")
    assert loaded.refused(yaml="max_files: x").startswith(f"max_files in {loaded.file}: 'x': ")


def test_an_empty_path_is_not_the_working_folder(loaded: Loader) -> None:
    """``--k2s-install-dir "$UNSET"`` must not install here."""
    assert "--k2s-install-dir: '': expected a path" in loaded.refused(k2s_install_dir="")


def test_what_is_required_is_asked_for_by_all_its_ways(install: Path) -> None:
    """Flag, environment and file."""
    with pytest.raises(ConfigError, match=r"REGISTRY_URL is not set.*--registry-url, environment or --config"):
        load(flags={}, environment={"K2S_INSTALL_DIR": str(install)}, file=None)


@pytest.mark.parametrize("below", ["addons", "addons/.addon-sync", "addons/../addons/x"])
def test_the_state_is_never_below_the_catalogue(loaded: Loader, install: Path, below: str) -> None:
    """Told before anybody makes the folder."""
    assert "ADDON_SYNC_STATE_DIR" in loaded.refused({"ADDON_SYNC_STATE_DIR": str(install / below)})
    assert list(install.iterdir()) == []


def test_the_state_is_not_below_the_catalogue_through_a_link(loaded: Loader, install: Path, tmp_path: Path) -> None:
    """By where it is, not by how it is spelled."""
    (install / "addons").mkdir()
    link = tmp_path / "link"
    link.symlink_to(install / "addons", target_is_directory=True)
    assert "below the catalogue" in loaded.refused({"ADDON_SYNC_STATE_DIR": str(link / "x")})


@pytest.mark.parametrize(
    "environment",
    [
        {"ADDON_SYNC_CLIENT_CERT": "c.pem"},
        {"ADDON_SYNC_CLIENT_KEY": "k.pem"},
        {"ADDON_SYNC_TLS_CERT": "c.pem"},
        {"ADDON_SYNC_TLS_KEY": "k.pem"},
        {"ADDON_SYNC_REGISTRY_USERNAME": "u"},
        {"ADDON_SYNC_REGISTRY_PASSWORD": "p"},
    ],
)
def test_halves_of_a_pair_are_refused(loaded: Loader, environment: dict[str, str]) -> None:
    """One without the other would silently do nothing."""
    message = loaded.refused(environment)
    assert "belong together" in message
    assert next(iter(environment)) in message


def test_client_certificates_need_a_certificate_of_ours(loaded: Loader) -> None:
    """Over plain HTTP nobody could show one, so everybody would be let in or nobody."""
    assert "needs ADDON_SYNC_TLS_CERT" in loaded.refused({"ADDON_SYNC_TLS_CLIENT_CA": "ca.pem"})


# ---- secrets ----


def test_a_secret_comes_from_a_file_too_and_from_only_one_place(loaded: Loader, tmp_path: Path) -> None:
    """A flag's file beats the environment's text; two in the same place are one too many."""
    file = tmp_path / "token"
    file.write_text("from-file\n", encoding="utf-8")
    assert loaded({"ADDON_SYNC_TOKEN_FILE": str(file)}).token.words() == ("from-file",)
    assert loaded({"ADDON_SYNC_TOKEN": "text"}, token_file=str(file)).token.words() == ("from-file",)
    assert "ADDON_SYNC_TOKEN and ADDON_SYNC_TOKEN_FILE are both set" in loaded.refused(
        {"ADDON_SYNC_TOKEN": "text", "ADDON_SYNC_TOKEN_FILE": str(file)}
    )


@pytest.mark.parametrize("text", [",", " , ,", "\n"])
def test_a_secret_without_a_word_is_refused(loaded: Loader, tmp_path: Path, text: str) -> None:
    """Otherwise every sender is refused, and nobody knows why."""
    file = tmp_path / "token"
    file.write_text(text, encoding="utf-8")
    assert "ADDON_SYNC_TOKEN_FILE is set and holds no word" in loaded.refused({"ADDON_SYNC_TOKEN_FILE": str(file)})


def test_a_secret_file_that_is_absent_is_named_at_the_start(loaded: Loader, tmp_path: Path) -> None:
    """Not when the first sender comes."""
    message = loaded.refused({"ADDON_SYNC_REGISTRY_PASSWORD_FILE": str(tmp_path / "absent")})
    assert message.startswith("ADDON_SYNC_REGISTRY_PASSWORD_FILE")


def write(file: Path, text: str, *, age: int) -> None:
    file.write_text(text, encoding="utf-8")
    os.utime(file, (1_700_000_000 - age, 1_700_000_000 - age))


def test_a_secret_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """Rotation without a restart, also where both have the same length."""
    file = tmp_path / "token"
    write(file, "old", age=20)
    secret = Secret(file=file, key="ADDON_SYNC_TOKEN", split=tokens)
    assert secret.words() == ("old",)
    write(file, "new", age=10)
    assert secret.words() == ("new",)


def test_an_unchanged_secret_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for at every request."""
    file = tmp_path / "token"
    write(file, "old", age=20)
    secret = Secret(file=file, key="ADDON_SYNC_TOKEN", split=tokens)
    secret.words()
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: pytest.fail("read again"))
    assert secret.words() == ("old",)


def test_between_two_secret_files_the_old_words_hold(tmp_path: Path) -> None:
    """While Kubernetes moves its links there is an instant without a file."""
    file = tmp_path / "token"
    write(file, "old", age=20)
    secret = Secret(file=file, key="ADDON_SYNC_TOKEN", split=tokens)
    secret.words()
    file.unlink()
    assert secret.words() == ("old",)
    file.write_bytes(b"\xff\xfe")
    assert secret.words() == ("old",)


def test_tokens_are_several_and_a_password_is_one() -> None:
    """A comma separates tokens, and is a letter of a password."""
    assert tokens(" a, b\r\nc\n,") == ("a", "b", "c")
    assert password(" a, b \r\n") == (" a, b ",)
    assert password("\n") == ()
    assert Secret(key="X", split=password).word() is None


def everything_said(settings: Settings) -> str:
    return f"{settings!r} {settings} {settings.token!r} {settings.token} {replaced(settings, concurrency=1)!r}"


def test_secrets_are_in_no_text_of_the_settings(loaded: Loader, tmp_path: Path) -> None:
    """Neither repr nor str, from whichever source."""
    (tmp_path / "p").write_text("Pa55word", encoding="utf-8")
    environment = {"ADDON_SYNC_TOKEN": "T0ken", "ADDON_SYNC_REGISTRY_USERNAME": "u"}
    text = everything_said(loaded(environment, registry_password_file=str(tmp_path / "p")))
    assert "T0ken" not in text
    assert "Pa55word" not in text
    assert "<secret ADDON_SYNC_TOKEN>" in text


@pytest.mark.parametrize(
    "yaml",
    [
        'token: "S3cret\n  %x: [',
        "token: *S3cret",
        "token: !S3cret x",
        "token: {S3cret: 1}",
        "token: [S3cret, 1]",
        "token: S3cret\nconcurrency: x",
        "token: S3cret: x",
        "token: S3cret\ntoken: S3cret",
        "token: S3cret\ntoken_file: x",
    ],
)
def test_secrets_are_in_no_error(loaded: Loader, yaml: str) -> None:
    """Errors are logged, and logs are shown to many; parsers like to quote the line that they stumbled over."""
    message = loaded.refused(yaml=yaml)
    assert "S3" not in message


@pytest.mark.parametrize(
    "url", ["ftp://u:S3cret@host", "oci://u:S3@host:99999", "oci://u:S3/cret@host", "oci://u:S3@[h"]
)
def test_a_password_in_the_url_is_not_quoted(loaded: Loader, url: str) -> None:
    """However much else is wrong with it."""
    message = loaded.refused({"REGISTRY_URL": url})
    assert "S3" not in message
    assert "ADDON_SYNC_REGISTRY_USERNAME" in message


def test_a_secret_file_of_odd_bytes_is_not_quoted(loaded: Loader, tmp_path: Path) -> None:
    """The error of the decoder holds them."""
    file = tmp_path / "token"
    file.write_bytes(b"S3cret\xff")
    assert loaded.refused({"ADDON_SYNC_TOKEN_FILE": str(file)}).endswith("cannot be read: it is no UTF-8 text")


def test_every_setting_has_its_row_said_once() -> None:
    """Two rows of one name would be two defaults."""
    rows: list[Any] = [setting.name for setting in SETTINGS] + [setting.key for setting in SETTINGS]
    assert len(set(rows)) == len(rows)
    assert all(setting.help for setting in SETTINGS)


# ---- where requests may go ----


def test_token_services_are_origins(loaded: Loader) -> None:
    """Scheme, host and port; several, also as a YAML list."""
    two = loaded({"ADDON_SYNC_TOKEN_SERVICES": "https://auth.example, https://AUTH.local:5001/"}).token_services
    assert [str(origin) for origin in two] == ["https://auth.example", "https://auth.local:5001"]
    assert loaded(yaml="token_services: ['https://auth.example', 'https://auth.local:5001']").token_services == two
    assert loaded().token_services == ()


@pytest.mark.parametrize("text", ["auth.example", "https://auth.example/token", "oci://auth.example", "https://"])
def test_a_token_service_that_is_no_origin_is_refused(loaded: Loader, text: str) -> None:
    """A host alone, or a path, would be taken for more or less than it says."""
    assert "ADDON_SYNC_TOKEN_SERVICES" in loaded.refused({"ADDON_SYNC_TOKEN_SERVICES": text})


def test_a_password_in_a_url_is_not_repeated(loaded: Loader) -> None:
    """It is refused, and the error does not show it."""
    assert "s3cret" not in loaded.refused({"ADDON_SYNC_TOKEN_SERVICES": "https://robot:s3cret@auth.example"})


def test_docker_s_configuration_is_where_docker_has_it(loaded: Loader, install: Path) -> None:
    """The variable, the home folder, and on Windows the profile; a service without a home has none."""
    assert loaded({"DOCKER_CONFIG": "/etc/docker-config", "HOME": "/home/k"}).docker_config == Path(
        "/etc/docker-config"
    )
    assert loaded({"HOME": "/home/k"}).docker_config == Path("/home/k/.docker")
    assert loaded().docker_config is None
    environment = {**loaded.least, "HOME": "/home/k", "USERPROFILE": "/users/k"}
    on_windows = load(flags={}, environment=environment, file=None, system="nt")
    assert on_windows.docker_config == Path("/users/k/.docker")


def test_a_proxy_is_only_used_where_it_is_configured(loaded: Loader) -> None:
    """What the environment names for others is not ours; its exceptions count unless there are own ones."""
    environment = {"HTTPS_PROXY": "http://proxy:3128", "https_proxy": "http://proxy:3128", "NO_PROXY": ".local"}
    assert loaded(environment).proxy is None

    environment["ADDON_SYNC_PROXY"] = "http://proxy.example:3128"
    assert str(loaded(environment).proxy) == "http://proxy.example:3128"
    assert loaded(environment).no_proxy == parse_exemptions(".local")
    assert loaded({**environment, "ADDON_SYNC_NO_PROXY": "a.b"}).no_proxy == parse_exemptions("a.b")
    del environment["NO_PROXY"]
    assert loaded({**environment, "no_proxy": "c.d"}).no_proxy == parse_exemptions("c.d")
    assert loaded(environment).no_proxy == ()
    assert loaded({"NO_PROXY": "nothing/that:we_read"}).no_proxy == ()


def test_a_proxy_that_is_none_is_refused(loaded: Loader) -> None:
    """By the name of the setting, or of the variable; a password in it is not repeated."""
    for text in ("proxy:3128", "https://proxy", "socks5://proxy", "http://proxy/path", "http://robot:s3cret@proxy"):
        said = loaded.refused({"ADDON_SYNC_PROXY": text})
        assert "ADDON_SYNC_PROXY" in said
        assert "s3cret" not in said
    assert "ADDON_SYNC_NO_PROXY" in loaded.refused({"ADDON_SYNC_NO_PROXY": "10.0.0.0/99"})
    assert "NO_PROXY" in loaded.refused({"ADDON_SYNC_PROXY": "http://proxy", "NO_PROXY": "10.0.0.0/99"})
