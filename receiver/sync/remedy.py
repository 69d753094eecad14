"""What an operator can do about a failure, by its kind. Pure."""

from receiver import errors

_AWAY = "nothing, it is tried again by itself; 'addon-sync doctor' tells what is wrong with the registry"
_PUSH = "push a corrected artifact: a new digest is tried at once"

_BY_KIND: dict[type[errors.ReceiverError], str] = {
    errors.Unavailable: _AWAY,
    errors.ProtocolViolation: "'addon-sync doctor' tells whether that is the registry: a proxy may answer in its place",
    errors.AccessDenied: "give an account that may pull: ADDON_SYNC_REGISTRY_USERNAME and its password, or Docker's",
    errors.NotInRegistry: "push it again: the registry has lost a part of it",
    errors.ContentError: f"{_PUSH}; where the registry is at fault, repair it and 'addon-sync parked retry {{addon}}'",
    errors.UnsupportedContent: f"{_PUSH}. 'addon-sync export' and 'k2s addons export' make one",
    errors.UnsafeArchive: _PUSH,
    errors.InvalidManifest: _PUSH,
    errors.WrongRepository: (
        "push it to the repository that the error names, and delete this one from the registry; while it is there, "
        "'addon-sync hold {addon}' and 'addon-sync parked discard {addon}' keep it quiet"
    ),
    errors.InvalidNameError: _PUSH,
    errors.DowngradeDoubted: "wait a minute if it is meant, or 'addon-sync sync --allow-downgrade {addon}'",
    errors.AddonHeld: "'addon-sync release {addon}' ends the hold",
    errors.NotInstalled: "'addon-sync sync {addon}'",
    errors.InstallError: "make room, or close the files that are held open; 'addon-sync doctor' looks at both",
    errors.QueueError: "make room in the state folder; 'addon-sync doctor' looks at it",
}
"""The nearest class above an error's own counts."""


def remedy(kind: str | None, *, addon: str, parked: bool) -> str:
    """What to do about an error of the class named ``kind``; ``parked``: it is not tried again by itself."""
    found = _BY_KIND.get(_nearest(kind)) if kind is not None else None
    if found is None:
        again = f"repair what it names, then 'addon-sync parked retry {addon}'"
        return again if parked else "it is tried again by itself"
    return found.format(addon=addon)


def _nearest(kind: str) -> type[errors.ReceiverError]:
    error = getattr(errors, kind, None)
    if not isinstance(error, type) or not issubclass(error, errors.ReceiverError):
        return errors.ReceiverError  # of another version
    return next((above for above in error.__mro__ if above in _BY_KIND), errors.ReceiverError)
