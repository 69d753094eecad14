"""The story that ``./scripts/quickstart`` tells: a registry, the receiver, a push, and the addon in the catalogue."""

import http.client
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from receiver import notation
from receiver.errors import ReceiverError
from receiver.oci.reference import RegistryAddress
from receiver.packaging.push import Pushed
from receiver.registry.auth import Credentials
from scripts import registries, sample_addon
from scripts.children import Child, Failed, undisturbed
from scripts.registries import ROOT, Endpoint, Running

RECEIVER = (sys.executable, "-m", "receiver")
_PREFIX = "addons/"
_FOREIGN_PREFIX = "addon-sync-quickstart/"
"""In a registry that others use, the sample must not look like an addon to their hosts."""
_POLL_FOREIGN = "2s"
_READY = 30.0
_INSTALLED = 60.0
_PREFIX_SETTING = "ADDON_SYNC_REPOSITORY_PREFIX"
_MADE = (".venv", ".cache")
"""What the shell part makes in this clone, and the next run uses again."""
_KEPT = ("ADDON_SYNC_REGISTRY_", "ADDON_SYNC_CA_", "ADDON_SYNC_CLIENT_")
"""Settings of the operator that stay: how to reach their registry."""


class Stopped(BaseException):
    """Ctrl-C or SIGTERM."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Everything that runs, and where."""

    registry: Running
    endpoint: Endpoint
    receiver: Child
    port: int
    settings: Mapping[str, str]
    prefix: str
    left: list[str] = field(default_factory=list)
    """What stays when all has ended, and where."""

    @property
    def addons(self) -> Path:
        """The catalogue."""
        return Path(self.settings["K2S_INSTALL_DIR"]) / "addons"


def main(arguments: list[str]) -> int:
    """Tell the story; 0 done, 1 something failed, 130 interrupted before it was told."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    told = False
    try:
        with _staged() as stage:
            version = _deliver(stage)
            told = True
            if "--once" not in arguments:
                _stay(stage, version)
    except Stopped:
        _say("stopped; everything that was started has ended, and the temporary folder is gone")
        return 0 if told else 130
    except (Failed, ReceiverError) as error:
        return _report(error)
    _say("done; everything that was started has ended, and the temporary folder is gone")
    return 0


@contextmanager
def _staged() -> Iterator[Stage]:
    """Start the registry and the receiver in a private folder; end both and remove it, whatever happens."""
    with ExitStack() as stack:
        try:
            yield _set_up(stack)
        finally:
            _finish_undisturbed()


def _set_up(stack: ExitStack) -> Stage:
    left = [f"in this clone: {', '.join(made)}"] if (made := [name for name in _MADE if (ROOT / name).exists()]) else []
    stack.callback(_tell_left, left)
    with undisturbed():
        folder = Path(tempfile.mkdtemp(prefix="addon-sync-quickstart-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
    registry_port, port = _free_ports(2)
    endpoint = Endpoint(url=f"http://127.0.0.1:{port}/v1/notifications", token=secrets.token_urlsafe(16))
    registry = _registry(stack, registry_port, endpoint, folder)
    left += [registry.leaves] if registry.leaves else []
    prefix = _PREFIX if registry.notifies else os.environ.get(_PREFIX_SETTING, _FOREIGN_PREFIX)
    settings = _settings(folder, registry, endpoint, port=port, prefix=prefix)
    receiver = _receiver(stack, settings, folder, port)
    return Stage(
        registry=registry,
        endpoint=endpoint,
        receiver=receiver,
        port=port,
        settings=settings,
        prefix=prefix,
        left=left,
    )


def _registry(stack: ExitStack, port: int, endpoint: Endpoint, folder: Path) -> Running:
    if own := os.environ.get("REGISTRY_URL"):
        registry = _own_registry(own)
        _step(2, f"Registry: yours, {registry.address.url}")
        _say("It is not ours to configure, so the receiver polls it every two seconds instead of waiting for events.")
        return registry
    for name, kind in registries.available():
        try:
            registry = stack.enter_context(kind(port, endpoint, folder))
        except Failed as error:
            _say(f"{name} does not start here, trying the next: {error}\n{error.log}")
            continue
        _step(2, f"Registry: {registry.title} at {registry.address.url}")
        if kind is registries.small:
            _say(
                "It is a stand-in. For a real one: sudo apt-get install docker-registry (which also starts a service at"
            )
            _say("port 5000: sudo systemctl disable --now docker-registry), or set REGISTRY_URL.")
        _say(f"it notifies {endpoint.url}")
        return registry
    raise Failed("no registry starts on this machine; set REGISTRY_URL to one that runs")


def _own_registry(url: str) -> Running:
    insecure = os.environ.get("INSECURE", "").lower().lstrip("$") in {"true", "1"}
    address = RegistryAddress.parse(url, insecure=insecure)
    if not registries.answers(address):
        raise Failed(f"no registry answers at {address.url}; for plain HTTP set INSECURE=true, or unset REGISTRY_URL")
    return Running(title=address.url, address=address, notifies=False)


def _settings(folder: Path, registry: Running, endpoint: Endpoint, *, port: int, prefix: str) -> dict[str, str]:
    install, token = folder / "k2s", folder / "token"
    (install / "addons").mkdir(parents=True)
    token.write_text(endpoint.token, encoding="utf-8")
    settings = {
        "REGISTRY_URL": registry.address.url,
        "K2S_INSTALL_DIR": str(install),
        "INSECURE": "true" if registry.address.scheme == "http" else "false",
        "ADDON_SYNC_LISTEN": f"127.0.0.1:{port}",
        "ADDON_SYNC_TOKEN_FILE": str(token),
        _PREFIX_SETTING: prefix,
    }
    if not registry.notifies:
        settings["ADDON_SYNC_POLL_INTERVAL"] = _POLL_FOREIGN
        # Some registries have no catalogue: the sample is found by its name.
        settings["ADDON_SYNC_REPOSITORIES"] = f"{prefix}{sample_addon.NAME}"
    return settings


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Ours, without settings of the operator that would change the story."""
    kept = _KEPT if os.environ.get("REGISTRY_URL") else ()
    ours = {key: text for key, text in os.environ.items() if not key.startswith("ADDON_SYNC_") or key.startswith(kept)}
    return {**ours, **settings, "PYTHONUNBUFFERED": "1"}


def _receiver(stack: ExitStack, settings: Mapping[str, str], folder: Path, port: int) -> Child:
    command = [*RECEIVER, "serve"]
    receiver = Child("the receiver", command, log=folder / "receiver.log", environment=_environment(settings))
    stack.callback(receiver.stop)
    receiver.start()
    receiver.until(lambda: _get(port, "/readyz") is not None, seconds=_READY, what="the receiver's start")
    # Its first poll is a look at everything: it would stand in the way of the push, or bring it before the event.
    receiver.until(lambda: _last_poll(port) > 0, seconds=_READY, what="the receiver's first poll")
    _step(3, f"Receiver: listening on 127.0.0.1:{port}, catalogue {settings['K2S_INSTALL_DIR']}/addons")
    return receiver


def _deliver(stage: Stage) -> str:
    """Push the sample and watch it arrive; the version that it got."""
    address, credentials = stage.registry.address, _credentials()
    repository = f"{stage.prefix}{sample_addon.NAME}"
    there = sample_addon.tags(address, prefix=stage.prefix, credentials=credentials)
    version = sample_addon.next_version(there)
    _step(4, f"Push: {repository}:{version}, packed from {sample_addon.FOLDER.relative_to(ROOT)}")
    if there:
        _say(f"there already, from earlier runs: {', '.join(there)}")
    if not stage.registry.notifies:
        stage.left.append(f"in your registry: {repository}:{version}")
    before = _accepted(stage.port)
    started = time.monotonic()
    pushed = sample_addon.deliver(
        address, prefix=stage.prefix, version=version, credentials=credentials, scratch=stage.addons.parent
    )
    done = time.monotonic()
    if not stage.registry.notifies:
        deletion = f"curl -X DELETE {address.url}/v2/{repository}/manifests/{pushed.digest}"
        stage.left[-1] += f"\n  to delete it, where the registry allows that: {deletion}"
    _say(f"{pushed.digest} with {pushed.uploaded} blobs, in {_ms(done - started)}")
    arrived = _await_installed(stage, pushed, before)
    visible = time.monotonic()
    _step(5, f"Event: {_arrival(stage, arrived, done)}")
    for line in stage.receiver.new_lines():
        _say(line, mark="   | ")
    _step(6, f"Sync: installed {_ms(visible - done)} after the push had ended, {_ms(visible - started)} after it began")
    files = [path for path in (stage.addons / sample_addon.NAME).rglob("*") if path.is_file()]
    _say(f"{len(files)} files in {stage.addons / sample_addon.NAME}")
    _step(7, "Listed: addon-sync ls")
    _say(_listing(stage))
    return version


def _await_installed(stage: Stage, pushed: Pushed, before: float) -> float | None:
    """Wait for the digest that was pushed; when its event was first seen, on the monotonic clock."""
    record = stage.addons / ".addon-sync-digests" / sample_addon.NAME
    arrived: list[float] = []

    def installed() -> bool:
        if not arrived and _accepted(stage.port) > before:
            arrived.append(time.monotonic())
        with suppress(FileNotFoundError):
            return record.read_text(encoding="utf-8").strip() == str(pushed.digest)
        return False

    stage.receiver.until(installed, seconds=_INSTALLED, what=f"the delivery of {pushed.digest}")
    return arrived[0] if arrived else None


def _arrival(stage: Stage, arrived: float | None, pushed: float) -> str:
    if not stage.registry.notifies:
        return "none, as said above: the poll saw the new digest"
    if arrived is None:
        return "none was seen: the poll was faster"
    return f"accepted by the receiver {_ms(max(arrived - pushed, 0))} after the push had ended"


def _listing(stage: Stage) -> str:
    command = [*RECEIVER, "ls"]
    listing = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env=_environment(stage.settings)
    )
    if listing.returncode != 0:
        raise Failed(f"addon-sync ls ended with exit code {listing.returncode}", log=listing.stdout + listing.stderr)
    return listing.stdout.rstrip()


def _stay(stage: Stage, version: str) -> None:
    python = _short(Path(sys.executable))
    program = Path(sys.executable).with_name("addon-sync")
    command = _short(program) if program.exists() else f"{python} -m receiver"
    prefix = "" if stage.prefix == _PREFIX else f" --prefix {stage.prefix}"
    update = sample_addon.next_version([version])
    settings = " ".join(
        f"{key}={stage.settings[key]}" for key in ("REGISTRY_URL", "INSECURE", "K2S_INSTALL_DIR", _PREFIX_SETTING)
    )  # fmt: skip
    _step(8, "Now you. In another terminal, in this folder:")
    _say(f"an update:  {python} -m scripts.sample_addon {stage.registry.address.url} {update}{prefix}")
    _say(f"settings for what follows:  export {settings}")
    _say(f"what is installed:  {command} status")
    _say(f"what happens, live:  {command} events --follow --all")
    _say(f"the page of it, and how to sign in:  {command} page --show-credential")
    _say(f"numbers:  curl http://127.0.0.1:{stage.port}/metrics")
    if not stage.registry.notifies:
        _tell_of_events(stage)
    _say("Ctrl-C ends it all. What the receiver says:")
    while stage.receiver.running:
        for line in stage.receiver.new_lines():
            _say(line, mark="   | ")
        time.sleep(0.1)
    raise Failed("the receiver has ended", log=stage.receiver.tail())


def _tell_of_events(stage: Stage) -> None:
    stage.left.append("in your registry: whatever else you have pushed meanwhile")
    _say("Your registry sends no events to this receiver, so that it will warn of pushes that none announced.")
    if notation.Endpoint(host=stage.registry.address.host, port=0).loopback:
        _say("To see events, a Distribution registry needs this in its config.yml, and a restart; port and token are")
        _say("those of this run, and mean nothing after it:")
        _say(registries.snippet(stage.endpoint), mark="     ")
    else:
        _say("It could not reach this one, which listens to its own machine only: docs/how-to/connect-a-registry.md")


def _short(path: Path) -> str:
    """As it is typed in this clone."""
    return os.path.relpath(path) if path.is_relative_to(ROOT) else str(path)


def _tell_left(left: list[str]) -> None:
    for what in left:
        _say(f"left {what}")


def _last_poll(port: int) -> float:
    """When the receiver has last looked at everything; 0 before the first time."""
    found = re.search(r"^addon_sync_last_poll_timestamp_seconds (\S+)", _get(port, "/metrics") or "", re.MULTILINE)
    return float(found[1]) if found else 0.0


def _accepted(port: int) -> float:
    """How many deliveries the receiver has accepted, by its own count."""
    metrics = _get(port, "/metrics") or ""
    found = re.findall(r'^addon_sync_deliveries_total\{[^}]*verdict="accepted"[^}]*\} (\S+)', metrics, re.MULTILINE)
    return sum(float(count) for count in found)


def _get(port: int, path: str) -> str | None:
    """The body of a 200; None for anything else."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection, suppress(OSError):
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode("utf-8", "replace")
        return body if answer.status == 200 else None
    return None


def _credentials() -> Credentials | None:
    user = os.environ.get("ADDON_SYNC_REGISTRY_USERNAME")
    if not os.environ.get("REGISTRY_URL") or user is None:
        return None
    return Credentials(username=user, password=os.environ.get("ADDON_SYNC_REGISTRY_PASSWORD", ""))


def _free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on; each side has to know the other's before it starts."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _stop(*_: object) -> None:
    raise Stopped


def _finish_undisturbed() -> None:
    # A second Ctrl-C must not leave a process or a folder behind.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _report(error: Exception) -> int:
    log = error.log if isinstance(error, Failed) else ""
    print(f"\nquickstart failed: {error}", file=sys.stderr)
    if log:
        print("the last lines of its log:\n" + log, file=sys.stderr)
    return 1


def _step(number: int, text: str) -> None:
    print(f"{number}. {text}", flush=True)


def _say(text: str, *, mark: str = "   ") -> None:
    for line in text.splitlines():
        print(f"{mark}{line}".rstrip(), flush=True)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
