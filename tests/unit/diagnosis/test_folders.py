"""What is said of folders: by facts that no machine of ours has, and by folders of a machine."""

import os
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from receiver.diagnosis.finding import Finding, Standing
from receiver.diagnosis.folders import FolderFacts, HostFacts, judge
from receiver.diagnosis.probe.folders import host_facts

GIB = 2**30
GOOD = FolderFacts(path="/k", owner=7, owner_name="sync", mode=0o40700, device=1, free=50 * GIB, free_files=10**6)
HOST = HostFacts(
    install_dir=GOOD,
    catalogue=replace(GOOD, path="/k/addons", mode=0o40755),
    state=replace(GOOD, path="/k/.addon-sync"),
    account=7,
)
ABSENT = FolderFacts(path="/k/.addon-sync", exists=False)
NO_SPACE = replace(GOOD, path="/k/.addon-sync", free=10 * 2**20)


def judged(facts: HostFacts, *, held: bool = False) -> list[Finding]:
    return list(judge(facts, held=held, needed=GIB, files=50_000))


def test_a_host_that_is_well_has_nothing_to_cure() -> None:
    """Also where the first start makes the folders."""
    for facts in (HOST, replace(HOST, state=ABSENT), replace(HOST, state=ABSENT, catalogue=ABSENT)):
        assert {found.standing for found in judged(facts)} == {Standing.OK}
        assert all(found.remedy is None for found in judged(facts))


@pytest.mark.parametrize(
    ("facts", "standing", "check", "words"),
    [
        (replace(HOST, install_dir=replace(GOOD, refused="no")), "broken", "catalogue", "/k cannot be written to (no)"),
        (replace(HOST, schema=False), "warning", "product", "is it where K2s is installed? set K2S_INSTALL_DIR"),
        (
            replace(HOST, install_dir=replace(GOOD, refused="no"), schema=False),
            "broken",
            "catalogue",
            "/k cannot be written to (no)",
        ),
        (replace(HOST, catalogue=replace(GOOD, plain=False)), "broken", "catalogue", "link or no folder"),
        (replace(HOST, catalogue=replace(GOOD, refused="no")), "broken", "catalogue", "belongs to sync"),
        (replace(HOST, state=replace(ABSENT, refused="no")), "broken", "state", "cannot be made (no)"),
        (replace(HOST, state=replace(GOOD, plain=False)), "broken", "state", "ADDON_SYNC_STATE_DIR"),
        (replace(HOST, state=replace(GOOD, refused="Read-only file system")), "broken", "state", "Read-only"),
        (replace(HOST, account=0), "warning", "state", "run addon-sync doctor as sync"),
        (replace(HOST, state=replace(GOOD, device=2)), "broken", "volume", "same volume"),
        (replace(HOST, state=replace(GOOD, mode=0o40750)), "warning", "private", "mode 750"),
        (replace(HOST, links=("/k/x",)), "broken", "links", "/k/x is a link"),
        (replace(HOST, interrupted=2), "warning", "interrupted", "2 installations"),
        (replace(HOST, leftovers=("/k/a.tmp",)), "warning", "leftovers", "/k/a.tmp"),
        (replace(HOST, readable=("/etc/token",)), "warning", "secrets", "chmod o-r /etc/token"),
        (replace(HOST, state=NO_SPACE), "broken", "space", "10 MiB are free"),
        (replace(HOST, state=replace(GOOD, free_files=3)), "broken", "space", "3 more files"),
        (replace(HOST, state=replace(GOOD, free=GIB - 1)), "warning", "space", "ADDON_SYNC_MAX_ADDON_SIZE"),
        (replace(HOST, state=replace(GOOD, free_files=49_999)), "warning", "space", "ADDON_SYNC_MAX_FILES"),
    ],
)
def test_what_is_wrong_is_the_one_thing_that_is_told(facts: HostFacts, standing: str, check: str, words: str) -> None:
    """With a remedy, and nothing else is blamed."""
    (found,) = [found for found in judged(facts) if found.standing is not Standing.OK]
    assert (found.standing, found.check) == (standing, f"folders.{check}")
    assert found.remedy
    assert words in f"{found.text} {found.remedy}"


def test_what_somebody_works_on_is_not_left_over() -> None:
    """While serve runs, transactions come and go."""
    busy = replace(HOST, interrupted=2, leftovers=("/k/a.tmp",))
    assert {found.standing for found in judged(busy, held=True)} == {Standing.OK}


def test_windows_has_no_modes_and_no_owners() -> None:
    """Simulated: the facts are not there, and nothing is made of them."""
    bare = FolderFacts(path="C:\\k", device=1, free=50 * GIB)
    facts = HostFacts(install_dir=bare, catalogue=bare, state=bare, account=None)
    assert {found.standing for found in judged(facts)} == {Standing.OK}


def facts_of(root: Path, *secrets: Path) -> HostFacts:
    return host_facts(install_dir=root, catalogue=root / "addons", state=root / "state", secrets=secrets)


def test_looking_makes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    """Neither a folder that is not there, nor the file that is tried in one that is."""
    facts = facts_of(tmp_path, tmp_path / "absent")
    assert (facts.state.exists, facts.catalogue.exists, facts.readable) == (False, False, ())
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "state").mkdir(0o700)
    facts = facts_of(tmp_path)
    assert (facts.state.exists, facts.state.plain, facts.state.refused) == (True, True, None)
    assert list((tmp_path / "state").iterdir()) == []


def test_a_folder_without_the_product_is_seen(tmp_path: Path) -> None:
    """An existing folder is taken as it is, so a wrong one is told here or nowhere; our own start makes none right."""
    assert not facts_of(tmp_path).schema
    (tmp_path / "addons").mkdir()
    assert not facts_of(tmp_path).schema
    (tmp_path / "addons" / "addon.manifest.schema.json").write_text("{}")
    assert facts_of(tmp_path).schema


def test_what_lies_there_is_seen(tmp_path: Path) -> None:
    """Links, what a killed process left, promises that were not kept, secrets for everybody."""
    state = tmp_path / "state"
    (state / "transactions" / "1").mkdir(parents=True)
    (state / "transactions" / "2").mkdir()
    (state / "transactions" / "2" / "journal.json").touch()
    (state / "link").symlink_to(tmp_path)
    (state / "engine.3.tmp").touch()
    (tmp_path / ".addon-sync.holder.4.tmp").touch()
    secret, private = tmp_path / "secret", tmp_path / "private"
    for file, mode in ((secret, 0o644), (private, 0o600)):
        file.touch()
        file.chmod(mode)
    facts = facts_of(tmp_path, secret, private)
    assert facts.links == (str(state / "link"),)
    assert facts.interrupted == 1
    assert facts.leftovers == (str(tmp_path / ".addon-sync.holder.4.tmp"), str(state / "engine.3.tmp"))
    assert facts.readable == (str(secret),)
    linked = host_facts(install_dir=tmp_path, catalogue=tmp_path, state=state / "link", secrets=())
    assert not linked.state.plain


@pytest.mark.parametrize("refusing", ["open", "write"])
def test_a_disk_that_refuses_is_told_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusing: str
) -> None:
    """Simulated: read-only when the file is made, full when it is written."""
    (tmp_path / "state").mkdir()

    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"receiver.diagnosis.probe.folders.os.{refusing}", refuse)
    facts = facts_of(tmp_path)
    monkeypatch.undo()
    assert facts.state.refused == "No space left on device"
    assert list((tmp_path / "state").iterdir()) == []


def test_a_full_volume_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated at the call that tells what is free."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(GIB, GIB, 1024))
    (tmp_path / "state").mkdir(0o700)
    found = [found for found in judged(facts_of(tmp_path)) if found.standing is Standing.BROKEN]
    assert [one.check for one in found] == ["folders.space"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no account numbers")
def test_whose_folder_it_is_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that has no name has its number."""
    monkeypatch.setattr("pwd.getpwuid", lambda number: {}[number])
    assert facts_of(tmp_path).install_dir.owner_name == f"the account {os.geteuid()}"
