"""A descriptor: the promise of a blob, by media type, digest and size (image-spec descriptor.md)."""

from collections.abc import Mapping

from receiver.document import Value, field
from receiver.oci.digest import Digest


class Descriptor(Value, frozen=True, kw_only=True):
    """What a manifest or index says of a blob; ``size`` in bytes."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    foreign: bool = False
    """The descriptor names ``urls``: never fetched from there (CVE-2020-15157)."""
