"""What one artifact may ask of a host. Apart from the reader of archives, which only an installation needs."""

from receiver.catalog.names import NameLimits
from receiver.document import Value, field

_MIB = 1024 * 1024


class ArchiveLimits(Value, frozen=True):
    """What one artifact may ask of a host; sizes in bytes."""

    max_layer_size: int = 256 * _MIB
    """Of one layer, compressed."""
    max_addon_size: int = 1024 * _MIB
    """Of all layers, unpacked."""
    max_file_size: int = 512 * _MIB
    max_files: int = 50_000
    """Files and folders of all layers."""
    max_ratio: int = 200
    """Unpacked to compressed, once 1 MiB is out; gzip's own ceiling is about 1030."""
    max_pax_header: int = 64 * 1024
    max_pax_records: int = 128
    max_extensions: int = 3
    """Extension headers in a row."""
    max_gnu_name: int = 4096
    max_manifest_size: int = 64 * 1024
    """Of an ``addon.manifest.yaml``."""
    names: NameLimits = field(default_factory=NameLimits)
