"""The doors between the rooms: what each may import, read from the source, so that no reviewer has to remember it."""

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PURE = (
    "receiver.addon",
    "receiver.catalog.archive",
    "receiver.catalog.header",
    "receiver.catalog.layout",
    "receiver.catalog.limits",
    "receiver.catalog.names",
    "receiver.diagnosis.endpoint",
    "receiver.diagnosis.finding",
    "receiver.diagnosis.folders",
    "receiver.diagnosis.network",
    "receiver.diagnosis.registry",
    "receiver.diagnosis.tasks",
    "receiver.document",
    "receiver.errors",
    "receiver.oci",
    "receiver.packaging.flux",
    "receiver.registry.answers",
    "receiver.breaker",
    "receiver.registry.challenge",
    "receiver.registry.location",
    "receiver.registry.pages",
    "receiver.sync.circuit",
    "receiver.sync.downgrade",
    "receiver.registry.proxy",
    "receiver.registry.ranges",
    "receiver.sync.heard",
    "receiver.sync.plan",
    "receiver.sync.retry",
    "receiver.tasks.journal",
    "receiver.tasks.limits",
    "receiver.tasks.queue",
    "receiver.tasks.recent",
    "receiver.tasks.task",
    "receiver.webhook",
)
"""Rooms and modules that decide, and leave time, chance, files, sockets and logs to those who call them."""

TYPES = (
    "receiver.catalog.record",
    "receiver.catalog.release",
    "receiver.packaging.ports",
    "receiver.sync.ports",
    "receiver.sync.request",
)
"""Protocols and values without behaviour, the doors between rooms: every room may import them."""

IMPURE = frozenset(
    {
        "aiofiles", "aiohttp", "asyncio", "concurrent", "ctypes", "fcntl", "filelock", "glob", "http", "io",
        "isal", "logging", "mmap", "multiprocessing", "os", "pathlib", "platform", "prometheus_client", "random",
        "rich", "secrets", "select", "selectors", "shutil", "signal", "socket", "socketserver", "sqlite3", "ssl",
        "subprocess", "sys", "tempfile", "tenacity", "threading", "time", "urllib.request", "uuid", "winreg",
        "yaml",
    }
)  # fmt: skip
CLOCKS_AND_FILES = frozenset({"now", "utcnow", "today", "open"})
"""Calls of these names read the clock (``datetime.now``) or a file, without any import that would show it."""

ADAPTERS = ("receiver.blobs", "receiver.catalog", "receiver.registry", "receiver.tasks.sqlite")
COMPOSITION = ("receiver.__main__", "receiver.app", "receiver.cli", "receiver.connect", "receiver.serve")
"""Who may know every room, and whom no room knows."""

HOMES: Mapping[str, tuple[str, ...]] = {
    "aiofiles": ("receiver.blobs",),
    "aiohttp": ("receiver.http_client", "receiver.registry", "receiver.server"),
    "click": ("receiver.cli",),
    "filelock": ("receiver.lock",),
    "isal": ("receiver.catalog.inflate",),
    "jinja2": ("receiver.server.page",),
    "jsonschema_rs": ("receiver.catalog.schema",),
    "msgspec": ("receiver.document",),
    "prometheus_client": ("receiver.metrics",),
    "rich": ("receiver.cli",),
    "semver": ("receiver.addon",),
    "tenacity": ("receiver.registry.retry",),
    "yaml": ("receiver.catalog.manifest", "receiver.cli.commands.register", "receiver.settings_file"),
}
"""Every package from outside, and the rooms that speak to it: replacing one touches one room."""

PARTS = {"markupsafe": "jinja2", "yarl": "aiohttp"}
"""Packages that another one brings along as part of its interface."""

DISTRIBUTIONS = {
    "Jinja2": "jinja2",
    "PyYAML": "yaml",
    "jsonschema-rs": "jsonschema_rs",
    "prometheus-client": "prometheus_client",
}
"""Distributions whose import name is another one."""

MAX_LINES = 400


@dataclass(frozen=True)
class Module:
    """A module of the package, by its dotted name, and its source."""

    name: str
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed source."""
        return ast.parse(self.source)

    def imports(self, *, typing: bool = True) -> Iterator[str]:
        """Dotted names of all that is imported, in functions too; ``typing`` adds what only type checkers import."""
        skipped = set() if typing else {id(node) for node in _for_type_checkers(self.tree)}
        for node in ast.walk(self.tree):
            if id(node) not in skipped:
                yield from _imported(node)


def _for_type_checkers(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for statement in node.body:
                yield from ast.walk(statement)


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        origin = "." * node.level + (node.module or "")
        yield from (f"{origin}.{alias.name}" for alias in node.names)


def _within(name: str, rooms: tuple[str, ...] | frozenset[str]) -> str | None:
    """The room that ``name`` is in, or is."""
    return next((room for room in rooms if name == room or name.startswith(f"{room}.")), None)


def pure_rooms_only_decide(module: Module) -> Iterator[str]:
    """No clock, chance, socket, file, log or asyncio; and of ours, only what is pure as well."""
    if not _within(module.name, PURE):
        return
    for name in module.imports(typing=False):
        if _within(name, IMPURE):
            yield f"imports {name}"
        if _within(name, ("receiver",)) and not _within(name, PURE + TYPES):
            yield f"imports {name}, which is not pure"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            if called in CLOCKS_AND_FILES:
                yield f"line {node.lineno} calls {ast.unparse(node.func)}"


def types_do_nothing(module: Module) -> Iterator[str]:
    """A type may name a path; what would act on it stays behind the door."""
    if _within(module.name, TYPES):
        for name in module.imports(typing=False):
            if _within(name, IMPURE - {"pathlib"}):
                yield f"imports {name}"
            if _within(name, ("receiver",)) and not _within(name, PURE + TYPES):
                yield f"imports {name}, which does something"


def adapters_do_not_know_each_other(module: Module) -> Iterator[str]:
    """An adapter speaks to the world, not to another adapter; the pure words of a room are free to all."""
    own = _within(module.name, ADAPTERS)
    for name in module.imports(typing=False):
        other = _within(name, ADAPTERS)
        if own and other and own != other and not _within(name, PURE + TYPES):
            yield f"imports {name}"


def sync_knows_protocols_only(module: Module) -> Iterator[str]:
    """What syncing needs of the outside, it asks for in ``sync.ports``."""
    if _within(module.name, ("receiver.sync",)):
        for name in module.imports():
            if _within(name, ADAPTERS) and not _within(name, PURE + TYPES):
                yield f"imports {name}"


def only_the_composition_root_knows_all(module: Module) -> Iterator[str]:
    """Adapters are built in one place, and nothing reaches back to it."""
    if _within(module.name, COMPOSITION):
        return
    for name in module.imports(typing=False):
        adapter = _within(name, ADAPTERS)
        if _within(name, COMPOSITION):
            yield f"imports {name}"
        if adapter and not _within(name, PURE + TYPES) and not _within(module.name, (adapter,)):
            yield f"imports the adapter {name}"


def outside_packages_have_one_home(module: Module) -> Iterator[str]:
    """A package from outside is spoken to in its room, and in no other."""
    for name in module.imports():
        package = name.partition(".")[0]
        package = PARTS.get(package, package)
        if package in sys.stdlib_module_names or package == "receiver":
            continue
        if package not in HOMES:
            yield f"imports {name}, which has no home"
        elif not _within(module.name, HOMES[package]):
            yield f"imports {name}, whose home is {' and '.join(HOMES[package])}"


def servers_speak_no_client(module: Module) -> Iterator[str]:
    """The two sides of aiohttp are two packages to us."""
    is_server = _within(module.name, ("receiver.server",)) is not None
    foreign = "ClientSession" if is_server else "web"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute | ast.Name) and ast.unparse(node) == f"aiohttp.{foreign}":
            yield f"line {node.lineno} uses aiohttp.{foreign}"
    yield from (f"imports {name}" for name in module.imports() if _within(name, (f"aiohttp.{foreign}",)))


def imports_name_the_whole_path(module: Module) -> Iterator[str]:
    """Relative imports would slip past every rule above."""
    yield from (f"imports {name}" for name in module.imports() if name.startswith("."))


def every_module_says_what_it_is(module: Module) -> Iterator[str]:
    """The first line of a module is its place in the map."""
    if not (ast.get_docstring(module.tree) or "").strip():
        yield "has no docstring"


def a_module_holds_one_idea(module: Module) -> Iterator[str]:
    """One that grows past the limit usually holds two."""
    lines = len(module.source.splitlines())
    if lines > MAX_LINES:
        yield f"has {lines} lines, more than {MAX_LINES}"


Rule = Callable[[Module], Iterator[str]]
RULES: tuple[Rule, ...] = (
    pure_rooms_only_decide,
    types_do_nothing,
    adapters_do_not_know_each_other,
    sync_knows_protocols_only,
    only_the_composition_root_knows_all,
    outside_packages_have_one_home,
    servers_speak_no_client,
    imports_name_the_whole_path,
    every_module_says_what_it_is,
    a_module_holds_one_idea,
)


def _modules() -> Iterator[Module]:
    for path in sorted((ROOT / "receiver").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield Module(".".join(parts[:-1] if parts[-1] == "__init__" else parts), path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps_its_doors(rule: Rule) -> None:
    """Each rule holds for every module."""
    assert [f"{module.name} {broken}" for module in _modules() for broken in rule(module)] == []


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (pure_rooms_only_decide, "receiver.sync.plan", "import time"),
        (pure_rooms_only_decide, "receiver.oci.digest", "from pathlib import Path"),
        (pure_rooms_only_decide, "receiver.oci.digest", "def f():\n    import socket"),
        (pure_rooms_only_decide, "receiver.tasks.task", "import asyncio"),
        (pure_rooms_only_decide, "receiver.webhook.decode", "import logging"),
        (pure_rooms_only_decide, "receiver.webhook.decode", "from urllib.request import urlopen"),
        (pure_rooms_only_decide, "receiver.addon", "from datetime import datetime\nx = datetime.now()"),
        (pure_rooms_only_decide, "receiver.addon", "x = open('x')"),
        (pure_rooms_only_decide, "receiver.sync.plan", "from receiver.blobs import BlobStore"),
        (pure_rooms_only_decide, "receiver.sync.plan", "from receiver import config"),
        (types_do_nothing, "receiver.sync.ports", "import asyncio"),
        (types_do_nothing, "receiver.catalog.release", "from receiver.catalog.store import Store"),
        (adapters_do_not_know_each_other, "receiver.registry.client", "from receiver.blobs import BlobStore"),
        (adapters_do_not_know_each_other, "receiver.catalog.store", "import receiver.tasks.sqlite"),
        (adapters_do_not_know_each_other, "receiver.blobs", "from receiver import registry"),
        (sync_knows_protocols_only, "receiver.sync.syncer", "from receiver.registry.client import RegistryClient"),
        (
            sync_knows_protocols_only,
            "receiver.sync.syncer",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from receiver.catalog.store import Store",
        ),
        (only_the_composition_root_knows_all, "receiver.server.app", "from receiver.tasks.sqlite import SqliteQueue"),
        (only_the_composition_root_knows_all, "receiver.catalog.store", "from receiver.app import run"),
        (outside_packages_have_one_home, "receiver.sync.syncer", "import aiohttp"),
        (outside_packages_have_one_home, "receiver.oci.manifest", "import msgspec"),
        (outside_packages_have_one_home, "receiver.cli.status", "import requests"),
        (servers_speak_no_client, "receiver.server.app", "import aiohttp\naiohttp.ClientSession()"),
        (servers_speak_no_client, "receiver.registry.client", "from aiohttp import web"),
        (imports_name_the_whole_path, "receiver.sync.plan", "from ..registry import client"),
        (every_module_says_what_it_is, "receiver.addon", "x = 1"),
        (a_module_holds_one_idea, "receiver.addon", "x = 1\n" * (MAX_LINES + 1)),
    ],
)
def test_a_broken_rule_is_seen(rule: Rule, name: str, source: str) -> None:
    """A checker that finds nothing would be green too."""
    assert list(rule(Module(name, source)))


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (pure_rooms_only_decide, "receiver.oci.digest", "import hashlib\nfrom urllib.parse import urlsplit"),
        (pure_rooms_only_decide, "receiver.sync.plan", "from receiver.sync.ports import Registry"),
        (adapters_do_not_know_each_other, "receiver.registry.client", "from receiver.registry.auth import Authorizer"),
        (only_the_composition_root_knows_all, "receiver.app", "from receiver.blobs import BlobStore"),
        (only_the_composition_root_knows_all, "receiver.packaging.push", "from receiver.registry import answers"),
        (outside_packages_have_one_home, "receiver.cli.status", "import rich.table"),
        (servers_speak_no_client, "receiver.server.app", "from aiohttp import web"),
    ],
)  # fmt: skip
def test_what_is_allowed_passes(rule: Rule, name: str, source: str) -> None:
    """A rule that refuses everything would be turned off."""
    assert list(rule(Module(name, source))) == []


def test_every_room_of_the_tables_exists() -> None:
    """A rule for a module that was renamed guards nothing."""
    names = [module.name for module in _modules()]
    homes = [home for rooms in HOMES.values() for home in rooms]
    listed = [*PURE, *TYPES, *ADAPTERS, *COMPOSITION, *homes]
    assert [room for room in listed if not any(_within(name, (room,)) for name in names)] == []


def test_every_dependency_has_a_home_and_every_home_a_tenant() -> None:
    """What is declared is used, and what is used is declared."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [re.split(r"[<>=!~ \[;]", line, maxsplit=1)[0] for line in project["dependencies"]]
    assert sorted(DISTRIBUTIONS.get(name, name) for name in declared) == sorted(HOMES)
    used = {(name.partition(".")[0], module.name) for module in _modules() for name in module.imports()}
    empty = [
        (package, home)
        for package, homes in HOMES.items()
        for home in homes
        if not any(package == imported and _within(by, (home,)) for imported, by in used)
    ]
    assert empty == []


def test_no_group_of_errors_is_caught_by_except_star() -> None:
    """What is raised in one comes out as another group up to Python 3.11.3, which Debian 12 has: `sync.together`."""
    trees = {path: ast.parse(path.read_bytes()) for path in (ROOT / "receiver").rglob("*.py")}
    assert [str(path) for path, tree in trees.items() for node in ast.walk(tree) if isinstance(node, ast.TryStar)] == []
