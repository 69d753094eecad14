"""The settings as they are shown, and what they say together."""

from pathlib import Path

import pytest

from receiver.config import Settings, load
from receiver.diagnosis.finding import Standing
from receiver.diagnosis.settings import judge, rows, secret_files, source_of
from receiver.settings_table import SETTINGS

SECRET = "S3cret-that-nobody-may-see"


def settings(tmp_path: Path, *, yaml: str = "", **environment: str) -> Settings:
    file = tmp_path / "x.yaml"
    file.write_text(yaml)
    least = {"REGISTRY_URL": "oci://r", "K2S_INSTALL_DIR": str(tmp_path)}
    return load(flags={}, environment={**least, **environment}, file=file, system="posix")


def troubles(found: Settings) -> dict[str, str]:
    return {one.check: one.standing.value for one in judge(found) if one.standing is not Standing.OK}


def test_every_setting_has_a_row_and_no_secret_has_its_text(tmp_path: Path) -> None:
    """In every form that a secret may be given."""
    password = tmp_path / "password"
    password.write_text(SECRET)
    found = settings(
        tmp_path,
        yaml=f"senders:\n  ghcr: [{SECRET}]\n  quay_file: {password}\n",
        ADDON_SYNC_TOKEN=SECRET,
        ADDON_SYNC_REGISTRY_USERNAME="robot",
        ADDON_SYNC_REGISTRY_PASSWORD_FILE=str(password),
        HOME="/home/x",
    )
    shown = list(rows(found))
    assert [row.name for row in shown] == [*(setting.name for setting in SETTINGS), "senders.ghcr", "senders.quay"]
    values = {row.name: row.value for row in shown}
    assert values["ADDON_SYNC_TOKEN"] == values["senders.ghcr"] == "configured"
    assert values["ADDON_SYNC_REGISTRY_PASSWORD"] == values["senders.quay"] == f"configured, in {password}"
    assert values["ADDON_SYNC_REGISTRY_USERNAME"] == "robot"
    assert values["ADDON_SYNC_STATE_DIR"] == f"{tmp_path}/.addon-sync"
    assert values["DOCKER_CONFIG"] == "/home/x/.docker"
    assert values["ADDON_SYNC_PROXY"] is None
    assert SECRET not in repr(shown)
    assert list(secret_files(found)) == [password, password]
    assert source_of(found, "ADDON_SYNC_TOKEN") == "ADDON_SYNC_TOKEN"
    assert source_of(found, "senders.quay") == f"senders.quay_file in {tmp_path}/x.yaml ({password})"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"ADDON_SYNC_TOKEN": SECRET}, {}),
        ({}, {"settings.token": "warning"}),
        ({"ADDON_SYNC_LISTEN": ":8080"}, {"settings.token": "broken", "settings.tls": "warning"}),
        ({"ADDON_SYNC_LISTEN": ":8080", "ADDON_SYNC_TOKEN": SECRET}, {"settings.tls": "warning"}),
        (
            {
                "ADDON_SYNC_LISTEN": ":8",
                "ADDON_SYNC_TOKEN": SECRET,
                "ADDON_SYNC_TLS_CERT": "c",
                "ADDON_SYNC_TLS_KEY": "k",
            },
            {},
        ),
        ({"ADDON_SYNC_TOKEN": SECRET, "ADDON_SYNC_POLL_INTERVAL": "0"}, {"settings.poll": "warning"}),
    ],
)
def test_what_settings_say_together(tmp_path: Path, environment: dict[str, str], expected: dict[str, str]) -> None:
    """What serve would refuse is broken, what it warns of is a warning."""
    assert troubles(settings(tmp_path, **environment)) == expected


def test_credentials_of_senders_let_serve_listen_to_others(tmp_path: Path) -> None:
    """As `receiver.serve` sees it."""
    found = settings(tmp_path, yaml=f"senders: {{ghcr: {SECRET}}}", ADDON_SYNC_LISTEN=":8080")
    assert troubles(found) == {"settings.tls": "warning"}
    assert troubles(settings(tmp_path, yaml=f"senders: {{ghcr: {SECRET}}}")) == {}


def test_the_path_of_the_webhook_is_not_shown(tmp_path: Path) -> None:
    """Flux makes it of a token: who knows it can make Flux work."""
    token = {"ADDON_SYNC_FLUX_TOKEN": SECRET}
    for url, shown in (("https://flux.local:8443/hook/0a1b", "https://flux.local:8443/…"), ("http://f", "http://f")):
        found = settings(tmp_path, ADDON_SYNC_FLUX_WEBHOOK=url, **token)
        assert {row.name: row.value for row in rows(found)}["ADDON_SYNC_FLUX_WEBHOOK"] == shown
