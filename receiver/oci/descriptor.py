"""A descriptor: the promise of a blob, by media type, digest and size (image-spec descriptor.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from receiver.oci.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What a manifest or index says of a blob; ``size`` in bytes."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    foreign: bool = False
    """The descriptor names ``urls``: never fetched from there (CVE-2020-15157)."""
