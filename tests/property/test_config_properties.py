"""Settings for all texts: a value within its bounds, or one error that names the setting."""

import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from receiver.config import load
from receiver.errors import ConfigError
from receiver.notation import parse_duration, parse_endpoint, parse_size
from receiver.oci.reference import RegistryAddress
from receiver.setting import Setting
from receiver.settings_table import SETTINGS

TEXTS = st.text(max_size=40)
# Few for each of two dozen settings. Hypothesis runs many examples against one folder, which none of them changes.
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
@shared
@given(text=TEXTS)
def test_any_text_is_a_value_or_an_error_that_names_it(tmp_path: Path, setting: Setting, text: str) -> None:
    """From the environment, the most careless source."""
    environment = {"REGISTRY_URL": "oci://r", "K2S_INSTALL_DIR": str(tmp_path), setting.name: text}
    try:
        load(flags={}, environment=environment, file=None)
    except ConfigError as error:
        message = str(error)
        assert setting.name in message
        assert message.isprintable() or "\n" not in message


@shared
@given(text=st.text(alphabet=st.sampled_from("token: S[]{}&*!|>'\"%@`-,#\n \t\0abc1"), max_size=60))
def test_any_file_is_settings_or_an_error(tmp_path: Path, text: str) -> None:
    """Never a traceback."""
    file = tmp_path / "addon-sync.yaml"
    file.write_text(text, encoding="utf-8")
    try:
        load(flags={}, environment={"REGISTRY_URL": "oci://r", "K2S_INSTALL_DIR": str(tmp_path)}, file=file)
    except ConfigError as error:
        assert "\n" not in str(error)  # noqa: PT017 - settings are as good as an error here


@given(TEXTS | st.from_regex(r"[0-9.]{1,12}(ms|s|m|h|d|B|KiB|MiB|GiB)", fullmatch=True))
def test_what_is_read_as_a_quantity_is_finite_and_not_negative(text: str) -> None:
    """A limit of nothing or of everything is no limit."""
    for parse in (parse_duration, parse_size):
        try:
            value = parse(text)
        except ValueError:
            continue
        assert math.isfinite(value)
        assert 0 <= value < 2**63


@given(st.integers(0, 999), st.integers(0, 59), st.integers(0, 59))
def test_durations_add_up(hours: int, minutes: int, seconds: int) -> None:
    """As people write them."""
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds


@given(st.ip_addresses(), st.integers(0, 65535))
def test_every_address_can_be_listened_on(address: object, port: int) -> None:
    """IPv6 in brackets, scopes left out; loopback is what ``ipaddress`` says."""
    text = str(address)
    endpoint = parse_endpoint(f"[{text}]:{port}" if ":" in text else f"{text}:{port}")
    assert (endpoint.host, endpoint.port) == (text, port)
    assert endpoint.loopback == getattr(address, "is_loopback", None)


@given(TEXTS | st.from_regex(r"(oci|https?)://[a-z0-9.:@/\[\]-]{0,20}", fullmatch=True), st.booleans())
def test_an_address_that_passes_is_one_host_and_nothing_else(text: str, insecure: bool) -> None:
    """It comes out as a URL that reads back the same."""
    try:
        address = RegistryAddress.parse(text, insecure=insecure)
    except ConfigError as error:
        assert "REGISTRY_URL" in str(error)  # noqa: PT017 - an address is as good as an error here
        return
    assert address.url.isascii()
    assert RegistryAddress.parse(address.url, insecure=True) == address
