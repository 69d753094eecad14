"""Write ``docs/reference/hardening.md`` from the tables of hazard cases and the settings of limits."""

import re
from collections import Counter
from collections.abc import Iterator

from receiver.setting import Setting
from receiver.settings_table import SETTINGS
from tests.fault.hazards import GROUPS, Group
from tests.support.hazards import Case, Elsewhere

_INTRODUCTION = """\
Whoever can push to the registry can push anything, and the scripts of an addon run with full rights later. So all of an
artifact is judged before any of it becomes visible: manifests and indexes when a sync is planned, blobs by size and
digest when they are stored, layers while they are unpacked into a private folder, the folders and the
`addon.manifest.yaml` before they are exchanged. The rules are the same on every system, so that an artifact that one
host takes is taken by all.

- **refused**: one typed error that names the entry. Nothing in the catalogue, in the records and in the folder around
  the host has changed, and nothing is left in the staging folder. The digest is not tried again, the next push is;
  *retried* marks what a repetition may cure, because the bytes came other than they were announced.
- **accepted**: the addon's folder holds exactly the expected files afterwards, and nothing around it has changed.
- **normalised**: accepted likewise, but what the artifact says of modes, owners, times, attributes or superfluous
  dots and slashes is dropped.

Whoever can reach the notification endpoint can send anything, too: group W.

What was shown, and how:

- Each case of A to I is pushed as the next release of an addon that is installed, and synced through all that a sync
  passes: planning, blob store, reader, gates, transaction. `tests/fault/hazards` holds the tables that this page is
  written from. Where the last column names a test, that test shows it instead.
- Shown on Linux, and all but five of the cases again by Windows' own Python in Wine. Nothing was run on Windows
  itself; what only Windows does is simulated.
- Faults are the death of the process and errors injected into its calls, not the loss of power.

Names stand as they do in errors and logs: quoted, what cannot be seen escaped, a backslash doubled.
"""
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~&$])")


def hardening(note: str) -> str:
    """``docs/reference/hardening.md``; ``note`` says who writes it."""
    parts = ["# Hardening", "", note, "", _INTRODUCTION, *_summary(), "", *_limits()]
    for letter, group in GROUPS.items():
        parts += ["", *_group(letter, group)]
    return "\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """``text`` as a cell of a Markdown table shows it: nothing in it is markup, and nothing invisible."""
    visible = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    return _SPECIAL.sub(r"\\\1", visible)


def _summary() -> Iterator[str]:
    yield from ("| group | identifiers | cases | refused | accepted | normalised |", "|---|--:|--:|--:|--:|--:|")
    total: Counter[str] = Counter()
    for letter, group in GROUPS.items():
        counts = Counter({"identifiers": group.count, "cases": len(group.cases)})
        counts.update(case.verdict for case in group.cases)
        total += counts
        yield _counted(f"[{letter}. {escaped(group.title)}](#{_anchor(letter, group)})", counts)
    yield _counted("all", total)


def _counted(name: str, counts: Counter[str]) -> str:
    columns = ("identifiers", "cases", "refused", "accepted", "normalised")
    return f"| {name} | " + " | ".join(str(counts[column]) for column in columns) + " |"


def _limits() -> Iterator[str]:
    yield from ("## Limits", "", "| limit of | default | setting |", "|---|---|---|")
    yield from (_limit(setting) for setting in SETTINGS if setting.name.startswith("ADDON_SYNC_MAX_"))
    yield from ("", "How to set them: [settings](settings.md).")


def _limit(setting: Setting) -> str:
    return f"| {escaped(setting.help.removeprefix('limit of '))} | `{setting.default}` | `{setting.name}` |"


def _group(letter: str, group: Group) -> Iterator[str]:
    yield from (f"## {letter}. {escaped(group.title)}", "")
    if group.note:
        yield from (group.note, "")
    yield from (f"| id | {group.pushed} | verdict | error, or the tests that show it |", "|---|---|---|---|")
    yield from (_row(case) for case in sorted(group.cases, key=lambda case: int(case.id[1:])))


def _row(case: Case | Elsewhere) -> str:
    return f"| {case.id} | {escaped(case.title)} | {case.verdict} | {_shown_by(case)} |"


def _shown_by(case: Case | Elsewhere) -> str:
    if isinstance(case, Elsewhere):
        return "<br>".join(_test(test) for test in case.tests)
    if case.verdict != "refused":
        return ""
    return f"`{case.error.__name__}`" + (", retried" if case.retried else "")


def _test(test: str) -> str:
    path, _, function = test.partition("::")
    return f"[`{function}`](../../{path})"


def _anchor(letter: str, group: Group) -> str:
    """The anchor that GitHub gives the heading of a group."""
    return re.sub(r"[^\w -]", "", f"{letter}. {group.title}".lower()).replace(" ", "-")
