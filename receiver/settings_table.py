"""The table of settings: where each is named, typed, given its default and explained, and nowhere else.

The command line, the reading of environment and file (`receiver.config`), and ``docs/reference/settings.md`` are made
from it.
"""

from collections.abc import Callable
from typing import Any

from receiver.notation import (
    parse_bool,
    parse_count,
    parse_duration,
    parse_endpoint,
    parse_list,
    parse_log_format,
    parse_origins,
    parse_path,
    parse_prefix,
    parse_size,
    parse_tag_policy,
    parse_text,
    parse_version_range,
    parse_webhook,
)
from receiver.registry.proxy import parse_exemptions, parse_proxy
from receiver.secret import password, tokens
from receiver.setting import Setting

_KINDS: dict[Callable[[str], Any], tuple[str, tuple[type, ...]]] = {
    parse_bool: ("BOOL", (str, bool, int)),
    parse_count: ("COUNT", (str, int)),
    parse_duration: ("DURATION", (str, int)),
    parse_size: ("SIZE", (str, int)),
    parse_list: ("LIST", (str, list)),
    parse_origins: ("LIST", (str, list)),
    parse_exemptions: ("LIST", (str, list)),
    tokens: ("LIST", (str, list)),
    parse_endpoint: ("ADDRESS", (str,)),
    parse_path: ("PATH", (str,)),
}


def _setting(name: str, parse: Callable[[str], Any], default: str | None, text: str, **more: Any) -> Setting:
    placeholder, yaml = _KINDS.get(parse, ("TEXT", (str,)))
    row = {"field": name.removeprefix("ADDON_SYNC_").lower(), "placeholder": placeholder, "yaml": yaml, **more}
    return Setting(name=name, parse=parse, default=default, help=text, **row)


def _limit(name: str, parse: Callable[[str], Any], default: str, text: str) -> Setting:
    return _setting(f"ADDON_SYNC_MAX_{name}", parse, default, f"limit of {text}", has_flag=False)


SETTINGS: tuple[Setting, ...] = (
    _setting(
        "REGISTRY_URL", parse_text, None, "oci://host[:port] of the registry; no repository path", field="registry"
    ),
    _setting(
        "K2S_INSTALL_DIR",
        parse_path,
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
    _setting(
        "ADDON_SYNC_API_TOKEN",
        tokens,
        None,
        "credential of the HTTP API, which beyond loopback is off without it; several, comma separated, for rotation",
        secret=True,
    ),
    _setting("ADDON_SYNC_TLS_CERT", parse_path, None, "certificate (PEM) of the HTTP endpoint, which then speaks TLS"),
    _setting("ADDON_SYNC_TLS_KEY", parse_path, None, "its private key (PEM)"),
    _setting(
        "ADDON_SYNC_TLS_CLIENT_CA", parse_path, None, "authorities (PEM); senders must show a certificate of them"
    ),
    _setting(
        "ADDON_SYNC_STATE_DIR",
        parse_path,
        None,
        "queue, journal, blobs, staging and backups; on the volume of addons, not below it; "
        "without it, .addon-sync in K2S_INSTALL_DIR",
    ),
    _setting("ADDON_SYNC_CONCURRENCY", parse_count, "4", "addons synced at the same time"),
    _setting(
        "ADDON_SYNC_REQUEST_RATE",
        parse_count,
        "100",
        "requests a second to the registry, at most, once three seconds' worth were sent at a time",
    ),
    _setting(
        "ADDON_SYNC_POLL_INTERVAL",
        parse_duration,
        "5m",
        "fallback poll, jittered, the first at start; 0 turns it off",
    ),
    _setting(
        "ADDON_SYNC_POLL_INTERVAL_MIN",
        parse_duration,
        "1m",
        "the poll comes sooner, down to this, while events are known to be lost",
    ),
    _setting(
        "ADDON_SYNC_POLL_INTERVAL_MAX",
        parse_duration,
        None,
        "the poll comes later, up to this, while all events arrive; without it, never later than the interval",
    ),
    _setting(
        "ADDON_SYNC_REPOSITORY_PREFIX",
        parse_prefix,
        "addons/",
        "where addon repositories are; project/addons/ for some",
    ),
    _setting("ADDON_SYNC_REPOSITORIES", parse_list, "", "repositories to poll where the registry has no catalogue"),
    _setting("ADDON_SYNC_TAG_POLICY", parse_tag_policy, "latest-or-semver", "latest-or-semver, or semver"),
    _setting("ADDON_SYNC_SEMVER_RANGE", parse_version_range, ">=0.0.0-0", "with semver: which versions count"),
    _setting("ADDON_SYNC_REGISTRY_USERNAME", parse_text, None, "user name at the registry"),
    _setting("ADDON_SYNC_REGISTRY_PASSWORD", password, None, "password or token at the registry", secret=True),
    _setting(
        "DOCKER_CONFIG",
        parse_path,
        None,
        "folder of Docker's config.json, for credentials that are not set here; without it, .docker in the home folder",
        field="docker_config",
    ),
    _setting(
        "ADDON_SYNC_TOKEN_SERVICES",
        parse_origins,
        "",
        "token services at other hosts or ports than the registry's that may be asked, and get its credentials: "
        "https://host[:port]",
    ),
    _setting(
        "ADDON_SYNC_PROXY",
        parse_proxy,
        None,
        "proxy to the registry, http://host:port; those that the environment names are not used",
    ),
    _setting(
        "ADDON_SYNC_NO_PROXY",
        parse_exemptions,
        None,
        "hosts, domains and networks that are asked without it; without this setting, NO_PROXY of the environment",
    ),
    _setting(
        "ADDON_SYNC_FLUX_WEBHOOK",
        parse_webhook,
        None,
        "http(s)://host[:port] of FluxCD's webhook-receiver, or the whole URL of its Receiver, which is told of each "
        "addon that was installed",
    ),
    _setting(
        "ADDON_SYNC_FLUX_TOKEN",
        password,
        None,
        "token in the Secret of that Receiver (generic-hmac)",
        secret=True,
    ),
    _setting("ADDON_SYNC_CA_FILE", parse_path, None, "certificates (PEM) that the registry's is checked against"),
    _setting("ADDON_SYNC_CLIENT_CERT", parse_path, None, "client certificate (PEM) for the registry"),
    _setting("ADDON_SYNC_CLIENT_KEY", parse_path, None, "its private key (PEM)"),
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
    _setting("ADDON_SYNC_LOG_FORMAT", parse_log_format, "text", "text or json"),
)
