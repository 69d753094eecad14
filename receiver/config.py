"""Settings: flag over environment over YAML file over default, judged once.

The table is `receiver.settings_table.SETTINGS`; here it is read from its sources, judged together, and made `Settings`.
"""

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from receiver.addon import AddonRepository, TagPolicy
from receiver.document import Value
from receiver.errors import ConfigError, ReceiverError, quoted
from receiver.notation import Endpoint
from receiver.oci.reference import ADDRESS_SETTING, RegistryAddress
from receiver.registry.location import Origin
from receiver.registry.proxy import Exemption
from receiver.secret import Secret
from receiver.sender_secrets import SECTION, keys, sender_secrets
from receiver.setting import Setting
from receiver.settings_file import read_settings_file
from receiver.settings_table import SETTINGS


class Given(Value, frozen=True):
    """Where a setting's value comes from."""

    source: Literal["argument", "flag", "environment", "file", "default"]
    name: str = ""
    """The argument, flag or variable, or the key with its file; empty for a default."""
    text: str | None = None
    """As it was written; the path of a secret's file, and None for a secret itself."""


class Settings(Value, frozen=True, kw_only=True):
    """Everything that the operator decided. Sizes in bytes, durations in seconds."""

    registry: RegistryAddress
    install_dir: Path
    insecure: bool
    listen: Endpoint
    token: Secret
    api_token: Secret
    senders: Mapping[str, Secret]
    tls_cert: Path | None
    tls_key: Path | None
    tls_client_ca: Path | None
    state_dir: Path
    concurrency: int
    request_rate: int
    poll_interval: float
    poll_interval_min: float
    poll_interval_max: float | None
    repository_prefix: str
    repositories: tuple[str, ...]
    tag_policy: TagPolicy
    semver_range: str
    registry_username: str | None
    registry_password: Secret
    docker_config: Path | None
    token_services: tuple[Origin, ...]
    proxy: Origin | None
    no_proxy: tuple[Exemption, ...]
    flux_webhook: str | None
    flux_token: Secret
    ca_file: Path | None
    client_cert: Path | None
    client_key: Path | None
    max_layer_size: int
    max_addon_size: int
    max_files: int
    max_file_size: int
    max_ratio: int
    max_depth: int
    max_component: int
    max_path: int
    max_pax_header: int
    max_pax_records: int
    max_extensions: int
    max_gnu_name: int
    max_document_size: int
    max_layers: int
    max_index_entries: int
    max_manifest_size: int
    max_body_size: int
    keep_releases: int
    repair_drift: bool
    journal_age: float
    journal_size: int
    log_format: str
    given: Mapping[str, Given]
    """By the names in the table; credentials of senders as ``senders.<sender>``, where there are some."""

    @property
    def catalogue(self) -> Path:
        """The folder that addons are installed in."""
        return self.install_dir / "addons"

    @property
    def registry_named(self) -> str:
        """What to check where the registry is not reached."""
        return _registry_named(self.given)


def deciding(settings: Settings) -> dict[str, str]:
    """The settings that decide what is brought, by their names, so that others can compare theirs. No secret."""
    return {
        "REGISTRY_URL": settings.registry.authority,
        "INSECURE": str(settings.registry.scheme == "http").lower(),
        "ADDON_SYNC_REPOSITORY_PREFIX": settings.repository_prefix,
        "ADDON_SYNC_TAG_POLICY": str(settings.tag_policy),
        "ADDON_SYNC_SEMVER_RANGE": settings.semver_range,
    }


def differing(settings: Settings, theirs: Mapping[str, str]) -> list[str]:
    """The names of those that are not as ``theirs``, which `deciding` gave."""
    return [name for name, text in deciding(settings).items() if theirs.get(name, text) != text]


_BY_KEY = {setting.key: setting for setting in SETTINGS}


def load(
    *,
    flags: Mapping[str, str],
    environment: Mapping[str, str],
    file: Path | None,
    registry: str | None = None,
    local_only: bool = False,
    remote_only: bool = False,
    system: str = os.name,
) -> Settings:
    """Judge all settings; ``flags`` by `Setting.key` (``…_file`` for secrets).

    ``registry``: its address, where that is an argument of the command, which is over everything else. ``local_only``:
    no registry is needed. ``remote_only``: no catalogue is, and none may be used with these settings.

    Raises:
        ConfigError: the text names the setting and where it came from.
    """
    from_file = _Source("file", {} if file is None else _from_file(file), lambda key: f"{key} in {file}")
    sources = [
        _Source("argument", {} if registry is None else {"registry_url": registry}, lambda _: "the argument REGISTRY"),
        _Source("flag", flags, lambda key: "--" + key.replace("_", "-")),
        _Source("environment", _from_environment(environment), _environment_name),
        from_file,
    ]
    given = {setting.name: _given(setting, sources, system) for setting in SETTINGS}
    values: dict[str, Any] = {setting.field: _value(setting, sources, system) for setting in SETTINGS}
    values["docker_config"] = values["docker_config"] or _docker_folder(environment, system)
    if values["no_proxy"] is None and values["proxy"] is not None:
        found = _no_proxy(environment)
        values["no_proxy"] = _parsed(_BY_KEY["no_proxy"], found.text or "", found.name)
        given["ADDON_SYNC_NO_PROXY"] = found if found.text else given["ADDON_SYNC_NO_PROXY"]
    values["no_proxy"] = values["no_proxy"] or ()
    values["senders"] = sender_secrets(from_file.values, from_file.name)
    values["given"] = given | _given_to_senders(from_file)
    if remote_only:
        values["install_dir"], values["state_dir"] = Path(), Path()
    else:
        _check_folders(values)
    _complete(values, local_only=local_only)
    assert set(values) == set(Settings.__struct_fields__)
    return Settings(**values)


class _Source(Value, frozen=True):
    kind: Literal["argument", "flag", "environment", "file"]
    values: Mapping[str, str]
    name: Callable[[str], str]

    def given(self, key: str, *, secret: bool = False) -> Given:
        return Given(self.kind, self.name(key), None if secret else self.values[key])


def _environment_name(key: str) -> str:
    setting = _BY_KEY.get(key) or _BY_KEY[key.removesuffix("_file")]
    return setting.name + ("_FILE" if key not in _BY_KEY else "")


def _given(setting: Setting, sources: list[_Source], system: str) -> Given:
    for source in sources:
        if setting.key in source.values:
            return source.given(setting.key, secret=setting.secret)
        if setting.secret and f"{setting.key}_file" in source.values:
            return source.given(f"{setting.key}_file")
    return Given("default", text=setting.default_on(system))


def _given_to_senders(file: _Source) -> dict[str, Given]:
    return {
        key.removesuffix("_file"): file.given(key, secret=not key.endswith("_file"))
        for key in file.values
        if key.startswith(f"{SECTION}.")
    }


def _value(setting: Setting, sources: list[_Source], system: str) -> Any:
    if setting.secret:
        return _secret(setting, sources)
    for source in sources:
        text = source.values.get(setting.key)
        if text is not None:
            return _parsed(setting, text, source.name(setting.key))
    default = setting.default_on(system)
    return None if default is None else setting.parse(default)


def _parsed(setting: Setting, text: str, where: str) -> Any:
    try:
        return setting.parse(text)
    except (ValueError, ReceiverError) as error:
        # What stands before an @ may be a password that has no place there.
        shown = "" if "@" in text else f"{text[:200]!r}: "
        raise ConfigError(f"{where}: {shown}{error}") from error


def _secret(setting: Setting, sources: list[_Source]) -> Secret:
    for source in sources:
        own, other = source.name(setting.key), source.name(f"{setting.key}_file")
        text, file = source.values.get(setting.key), source.values.get(f"{setting.key}_file")
        if text is not None and file is not None:
            raise ConfigError(f"{own} and {other} are both set: keep one")
        if text is not None or file is not None:
            path = None if file is None else Path(file)
            secret = Secret(key=setting.name, split=setting.parse, text=text, file=path)
            if not secret.words():
                raise ConfigError(f"{own if file is None else other} is set and holds no word")
            return secret
    return Secret(key=setting.name, split=setting.parse)


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What is set and not empty: a ConfigMap key without a value means the default."""
    found = {}
    for setting in SETTINGS:
        for suffix in ("", "_file") if setting.secret else ("",):
            text = environment.get(setting.name + suffix.upper(), "")
            if text.strip():
                found[setting.key + suffix] = text
    return found


def _from_file(file: Path) -> dict[str, str]:
    known = {setting.key: setting.yaml for setting in SETTINGS}
    known |= {f"{setting.key}_file": (str,) for setting in SETTINGS if setting.secret}
    return read_settings_file(file, known, {SECTION: keys})


def _registry_named(given: Mapping[str, Given]) -> str:
    address = given[ADDRESS_SETTING]
    return address.name if address.source == "argument" else ADDRESS_SETTING


def _complete(values: dict[str, Any], *, local_only: bool) -> None:
    """Judge what settings say together, and put in what follows from others."""
    url = values["registry"]
    if url is None and not local_only:
        raise ConfigError("REGISTRY_URL is not set: give oci://host[:port] by --registry-url, environment or --config")
    values["registry"] = RegistryAddress.parse(
        "oci://localhost" if url is None else url, insecure=values["insecure"], named=_registry_named(values["given"])
    )
    values["repositories"] = tuple(_repository(name, values["repository_prefix"]) for name in values["repositories"])
    for kind in ("CLIENT", "TLS"):
        if (values[f"{kind.lower()}_cert"] is None) != (values[f"{kind.lower()}_key"] is None):
            raise ConfigError(
                f"ADDON_SYNC_{kind}_CERT and ADDON_SYNC_{kind}_KEY belong together: one of them is not set"
            )
    if values["tls_client_ca"] is not None and values["tls_cert"] is None:
        raise ConfigError(
            "ADDON_SYNC_TLS_CLIENT_CA needs ADDON_SYNC_TLS_CERT: without TLS no client shows a certificate"
        )
    if values["flux_webhook"] is not None and not values["flux_token"].configured:
        raise ConfigError("ADDON_SYNC_FLUX_WEBHOOK needs ADDON_SYNC_FLUX_TOKEN: Flux takes signed requests only")
    if set(values["api_token"].words()) & set(values["token"].words()):
        raise ConfigError(
            "ADDON_SYNC_API_TOKEN and ADDON_SYNC_TOKEN share a token: senders must not be able to use the API; give it "
            "one of its own"
        )
    if (values["registry_username"] is None) == values["registry_password"].configured:
        raise ConfigError(
            "ADDON_SYNC_REGISTRY_USERNAME and ADDON_SYNC_REGISTRY_PASSWORD belong together: one of them is not set"
        )


def _docker_folder(environment: Mapping[str, str], system: str) -> Path | None:
    """Where Docker itself looks; none for a service without a home."""
    home = environment.get("USERPROFILE" if system == "nt" else "HOME")
    return Path(home) / ".docker" if home else None


def _no_proxy(environment: Mapping[str, str]) -> Given:
    name = "NO_PROXY" if "NO_PROXY" in environment else "no_proxy"
    return Given("environment", name, environment.get(name, ""))


def _check_folders(values: dict[str, Any]) -> None:
    install_dir: Path | None = values["install_dir"]
    if install_dir is None:
        raise ConfigError(
            "K2S_INSTALL_DIR is not set: give the folder that K2s is installed in by --k2s-install-dir, "
            "environment or --config"
        )
    if not _is_folder(install_dir):
        raise ConfigError(
            f"K2S_INSTALL_DIR {quoted(install_dir)} is not an existing folder: give the one that K2s is installed in"
        )
    state_dir: Path = values["state_dir"] or install_dir / ".addon-sync"
    try:
        # Judged before anybody makes it: nothing of ours lies below addons, at any moment.
        is_below = state_dir.resolve().is_relative_to((install_dir / "addons").resolve())
    except (OSError, RuntimeError) as error:  # links in a circle are a RuntimeError up to Python 3.12
        raise ConfigError(f"ADDON_SYNC_STATE_DIR {quoted(state_dir)} cannot be looked at: {error}") from error
    if is_below:
        raise ConfigError(
            f"ADDON_SYNC_STATE_DIR {quoted(state_dir)} lies below the catalogue: choose a folder beside it"
        )
    values["state_dir"] = state_dir


def _is_folder(install_dir: Path) -> bool:
    try:
        return stat.S_ISDIR(install_dir.stat().st_mode)
    except PermissionError as error:
        raise ConfigError(
            f"K2S_INSTALL_DIR {quoted(install_dir)} cannot be looked at: {error.strerror}: run it as the account that "
            "serve runs as, or let this account into the folders above"
        ) from error
    except (OSError, ValueError):
        return False


def _repository(text: str, prefix: str) -> str:
    """A configured repository, which may be named by its last part alone."""
    try:
        return AddonRepository.parse(text if text.startswith(prefix) else prefix + text, prefix=prefix).name
    except ReceiverError as error:
        raise ConfigError(f"ADDON_SYNC_REPOSITORIES: {error}") from error
