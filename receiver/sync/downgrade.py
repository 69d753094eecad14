"""A lower version than the installed one: believed only when the registry wants it twice. Pure.

A registry that was restored from a backup, or a listing that lost its newest tag, wants old releases for a while; an
operator who moves a tag back means it. Time tells them apart, or a person does.
"""

from receiver.addon import parse_version
from receiver.catalog.record import AddonRecord, Doubt
from receiver.errors import DowngradeDoubted

SECONDS = 60.0
"""Between the two looks, at least. Every poll is further apart."""


def is_downgrade(record: AddonRecord | None, version: str | None) -> bool:
    """Whether ``version`` is lower than what is installed, by SemVer precedence; what is no version never is."""
    return record is not None and record.installed is not None and is_lower(version, than=record.installed.version)


def is_lower(version: str | None, *, than: str | None) -> bool:
    """Whether both are versions, and ``version`` the lower one."""
    installed, wanted = parse_version(than or ""), parse_version(version or "")
    return installed is not None and wanted is not None and wanted < installed


def is_believed(doubt: Doubt | None, digest: str, now: float) -> bool:
    """Whether this very release was wanted before, long enough ago; a clock that was set back counts as long ago."""
    return doubt is not None and doubt.digest == digest and not 0 <= now - doubt.since < SECONDS


def doubted(record: AddonRecord, version: str | None) -> DowngradeDoubted:
    """The error that says what is going on, and how to go on at once."""
    installed = record.installed.version if record.installed is not None else None
    return DowngradeDoubted(
        f"the registry wants {version}, which is lower than the installed {installed}: it is installed if that is "
        f"still so in a minute, or at once by 'addon-sync sync --allow-downgrade {record.leaf}'"
    )
