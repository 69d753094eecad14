"""Settings: flag over environment over YAML file over default, judged once.

The table `SETTINGS` is the one place where a setting is named, typed, given its default and explained; the command
line, the reading of environment and file, and ``docs/reference/settings.md`` are made from it.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

from receiver.addon import AddonRepository, TagPolicy, VersionRange
from receiver.errors import ConfigError, ReceiverError
from receiver.notation import Endpoint, parse_bool, parse_count, parse_duration, parse_endpoint, parse_list, parse_size
from receiver.oci.reference import RegistryAddress, Repository
from receiver.secret import Secret, password, tokens
from receiver.settings_file import read_settings_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the operator decided. Sizes in bytes, durations in seconds."""

    registry: RegistryAddress
    install_dir: Path
    insecure: bool
    listen: Endpoint
    token: Secret
    tls_cert: Path | None
    tls_key: Path | None
    tls_client_ca: Path | None
    state_dir: Path
    concurrency: int
    poll_interval: float
    repository_prefix: str
    repositories: tuple[str, ...]
    tag_policy: TagPolicy
    semver_range: str
    registry_username: str | None
    registry_password: Secret
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

    @property
    def catalogue(self) -> Path:
        """The folder that addons are installed in."""
        return self.install_dir / "addons"


def _parse_text(text: str) -> str:
    return text.strip()


def _parse_path(text: str) -> Path:
    # An empty path would be the working folder, whatever that is.
    if not text.strip() or "\0" in text:
        raise ValueError("expected a path")
    return Path(text.strip())


def _parse_prefix(text: str) -> str:
    if not text.endswith("/"):
        raise ValueError("expected a prefix that ends with a slash, such as addons/")
    Repository.parse(text[:-1])
    return text


def _parse_policy(text: str) -> TagPolicy:
    if text not in {"latest-or-semver", "semver"}:
        raise ValueError("expected latest-or-semver or semver")
    return cast("TagPolicy", text)


def _parse_range(text: str) -> str:
    VersionRange.parse(text)
    return text


def _parse_format(text: str) -> str:
    if text not in {"text", "json"}:
        raise ValueError("expected text or json")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A row of the table. ``default`` is text in the form that users write; None where there is none."""

    name: str
    """The environment variable."""
    field: str
    parse: Callable[[str], Any]
    default: str | None
    help: str
    placeholder: str
    """What stands for the value in help texts."""
    yaml: tuple[type, ...] = (str,)
    """What a YAML file may give. Not numbers for texts: YAML would have read 0123 as 83, and 1.10 as 1.1."""
    windows: str | None = None
    """The default on Windows, where that is another one."""
    secret: bool = False
    has_flag: bool = True
    """False: by environment and file only, so that help texts stay short."""

    @property
    def key(self) -> str:
        """The name in a YAML file; with dashes, the flag."""
        return self.name.removeprefix("ADDON_SYNC_").lower()

    @property
    def flag(self) -> str:
        """The flag; a secret has only the one of its file, since other users see command lines."""
        return "--" + self.key.replace("_", "-") + ("-file" if self.secret else "")

    def default_on(self, system: str) -> str | None:
        """The default where ``os.name`` is ``system``."""
        return self.windows if system == "nt" and self.windows is not None else self.default


_KINDS: dict[Callable[[str], Any], tuple[str, tuple[type, ...]]] = {
    parse_bool: ("BOOL", (str, bool, int)),
    parse_count: ("COUNT", (str, int)),
    parse_duration: ("DURATION", (str, int)),
    parse_size: ("SIZE", (str, int)),
    parse_list: ("LIST", (str, list)),
    tokens: ("LIST", (str, list)),
    parse_endpoint: ("ADDRESS", (str,)),
    _parse_path: ("PATH", (str,)),
}


def _setting(name: str, parse: Callable[[str], Any], default: str | None, text: str, **more: Any) -> Setting:
    placeholder, yaml = _KINDS.get(parse, ("TEXT", (str,)))
    row = {"field": name.removeprefix("ADDON_SYNC_").lower(), "placeholder": placeholder, "yaml": yaml, **more}
    return Setting(name=name, parse=parse, default=default, help=text, **row)


def _limit(name: str, parse: Callable[[str], Any], default: str, text: str) -> Setting:
    return _setting(f"ADDON_SYNC_MAX_{name}", parse, default, f"limit of {text}", has_flag=False)


SETTINGS: tuple[Setting, ...] = (
    _setting(
        "REGISTRY_URL", _parse_text, None, "oci://host[:port] of the registry; no repository path", field="registry"
    ),
    _setting(
        "K2S_INSTALL_DIR",
        _parse_path,
        None,
        "the folder that K2s is installed in; the catalogue is the folder addons in it",
        field="install_dir",
        windows="C:\\k",
    ),
    _setting("INSECURE", parse_bool, "false", "plain HTTP to the registry: true, $true, 1 and their opposites"),
    _setting(
        "ADDON_SYNC_LISTEN", parse_endpoint, "127.0.0.1:8080", "address of the HTTP endpoint; port 0 takes a free one"
    ),
    _setting(
        "ADDON_SYNC_TOKEN",
        tokens,
        None,
        "credential that senders must present; several, comma separated, for rotation",
        secret=True,
    ),
    _setting("ADDON_SYNC_TLS_CERT", _parse_path, None, "certificate (PEM) of the HTTP endpoint, which then speaks TLS"),
    _setting("ADDON_SYNC_TLS_KEY", _parse_path, None, "its private key (PEM)"),
    _setting(
        "ADDON_SYNC_TLS_CLIENT_CA", _parse_path, None, "authorities (PEM); senders must show a certificate of them"
    ),
    _setting(
        "ADDON_SYNC_STATE_DIR",
        _parse_path,
        None,
        "queue, journal, blobs, staging and backups; on the volume of addons, not below it; "
        "without it, .addon-sync in K2S_INSTALL_DIR",
    ),
    _setting("ADDON_SYNC_CONCURRENCY", parse_count, "4", "addons synced at the same time"),
    _setting(
        "ADDON_SYNC_POLL_INTERVAL",
        parse_duration,
        "5m",
        "fallback poll, jittered, the first at start; 0 turns it off",
    ),
    _setting(
        "ADDON_SYNC_REPOSITORY_PREFIX",
        _parse_prefix,
        "addons/",
        "where addon repositories are; project/addons/ for some",
    ),
    _setting("ADDON_SYNC_REPOSITORIES", parse_list, "", "repositories to poll where the registry has no catalogue"),
    _setting("ADDON_SYNC_TAG_POLICY", _parse_policy, "latest-or-semver", "latest-or-semver, or semver"),
    _setting("ADDON_SYNC_SEMVER_RANGE", _parse_range, ">=0.0.0-0", "with semver: which versions count"),
    _setting("ADDON_SYNC_REGISTRY_USERNAME", _parse_text, None, "user name at the registry"),
    _setting("ADDON_SYNC_REGISTRY_PASSWORD", password, None, "password or token at the registry", secret=True),
    _setting("ADDON_SYNC_CA_FILE", _parse_path, None, "certificates (PEM) that the registry's is checked against"),
    _setting("ADDON_SYNC_CLIENT_CERT", _parse_path, None, "client certificate (PEM) for the registry"),
    _setting("ADDON_SYNC_CLIENT_KEY", _parse_path, None, "its private key (PEM)"),
    _setting("ADDON_SYNC_MAX_LAYER_SIZE", parse_size, "256MiB", "limit of one layer, compressed"),
    _setting("ADDON_SYNC_MAX_ADDON_SIZE", parse_size, "1GiB", "limit of an artifact's layers, unpacked"),
    _setting("ADDON_SYNC_MAX_FILES", parse_count, "50000", "limit of files and folders in an artifact"),
    _limit("FILE_SIZE", parse_size, "512MiB", "one file, unpacked"),
    _limit("RATIO", parse_count, "200", "unpacked to compressed size of a layer, once 1 MiB is out"),
    _limit("DEPTH", parse_count, "16", "folders and file in a path"),
    _limit("COMPONENT", parse_count, "128", "one name in a path, in UTF-16 units"),
    _limit("PATH", parse_count, "180", "a path below an addon, in UTF-16 units; Windows has 259 for all of it"),
    _limit("PAX_HEADER", parse_size, "64KiB", "a PAX header in a layer"),
    _limit("PAX_RECORDS", parse_count, "128", "records in a PAX header"),
    _limit("EXTENSIONS", parse_count, "3", "extension headers in a row in a layer"),
    _limit("GNU_NAME", parse_size, "4KiB", "a GNU long name in a layer"),
    _limit("DOCUMENT_SIZE", parse_size, "4MiB", "an OCI manifest or index"),
    _limit("LAYERS", parse_count, "32", "layers in an OCI manifest"),
    _limit("INDEX_ENTRIES", parse_count, "64", "entries of an OCI index, and manifests in nested ones"),
    _limit("MANIFEST_SIZE", parse_size, "64KiB", "an addon.manifest.yaml"),
    _setting(
        "ADDON_SYNC_MAX_BODY_SIZE", parse_size, "1MiB", "limit of a notification (a large zot event may have 4MiB)"
    ),
    _setting(
        "ADDON_SYNC_KEEP_RELEASES",
        parse_count,
        "3",
        "releases of an addon that are kept for rollback, the installed one included",
    ),
    _setting(
        "ADDON_SYNC_REPAIR_DRIFT",
        parse_bool,
        "false",
        "each poll compares every installed file, and installs an addon again where one has changed",
    ),
    _setting("ADDON_SYNC_JOURNAL_AGE", parse_duration, "30d", "how long deliveries are kept for replay"),
    _setting("ADDON_SYNC_JOURNAL_SIZE", parse_size, "128MiB", "how much of their bodies is kept"),
    _setting("ADDON_SYNC_LOG_FORMAT", _parse_format, "text", "text or json"),
)

_BY_KEY = {setting.key: setting for setting in SETTINGS}


def load(
    *,
    flags: Mapping[str, str],
    environment: Mapping[str, str],
    file: Path | None,
    local_only: bool = False,
    system: str = os.name,
) -> Settings:
    """Judge all settings; ``flags`` by `Setting.key` (``…_file`` for secrets). ``local_only``: no registry is needed.

    Raises:
        ConfigError: the text names the setting and where it came from.
    """
    sources = [
        _Source(flags, lambda key: "--" + key.replace("_", "-")),
        _Source(_from_environment(environment), _environment_name),
        _Source({} if file is None else _from_file(file), lambda key: f"{key} in {file}"),
    ]
    values: dict[str, Any] = {setting.field: _value(setting, sources, system) for setting in SETTINGS}
    _complete(values, local_only=local_only)
    assert set(values) == {field.name for field in fields(Settings)}
    return Settings(**values)


@dataclass(frozen=True, slots=True)
class _Source:
    values: Mapping[str, str]
    name: Callable[[str], str]


def _environment_name(key: str) -> str:
    setting = _BY_KEY.get(key) or _BY_KEY[key.removesuffix("_file")]
    return setting.name + ("_FILE" if key not in _BY_KEY else "")


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
        raise ConfigError(f"{where}: {text[:200]!r}: {error}") from error


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
    return read_settings_file(file, known)


def _complete(values: dict[str, Any], *, local_only: bool) -> None:
    """Judge what settings say together, and put in what follows from others."""
    _check_folders(values)
    url = values["registry"]
    if url is None and not local_only:
        raise ConfigError("REGISTRY_URL is not set: give oci://host[:port] by --registry-url, environment or --config")
    values["registry"] = RegistryAddress.parse("oci://localhost" if url is None else url, insecure=values["insecure"])
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
    if (values["registry_username"] is None) == values["registry_password"].configured:
        raise ConfigError(
            "ADDON_SYNC_REGISTRY_USERNAME and ADDON_SYNC_REGISTRY_PASSWORD belong together: one of them is not set"
        )


def _check_folders(values: dict[str, Any]) -> None:
    install_dir: Path | None = values["install_dir"]
    if install_dir is None:
        raise ConfigError(
            "K2S_INSTALL_DIR is not set: give the folder that K2s is installed in by --k2s-install-dir, "
            "environment or --config"
        )
    if not install_dir.is_dir():
        raise ConfigError(
            f"K2S_INSTALL_DIR {str(install_dir)!r} is not an existing folder: give the one that K2s is installed in"
        )
    state_dir: Path = values["state_dir"] or install_dir / ".addon-sync"
    # Judged before anybody makes it: nothing of ours lies below addons, at any moment.
    if state_dir.resolve().is_relative_to((install_dir / "addons").resolve()):
        raise ConfigError(
            f"ADDON_SYNC_STATE_DIR {str(state_dir)!r} lies below the catalogue: choose a folder beside it"
        )
    values["state_dir"] = state_dir


def _repository(text: str, prefix: str) -> str:
    """A configured repository, which may be named by its last part alone."""
    try:
        return AddonRepository.parse(text if text.startswith(prefix) else prefix + text, prefix=prefix).name
    except ReceiverError as error:
        raise ConfigError(f"ADDON_SYNC_REPOSITORIES: {error}") from error
