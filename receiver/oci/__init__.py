"""The words of the OCI specifications as types that cannot be wrong. Pure.

- ``digest``      `Digest`: ``sha256:…``, judged before it becomes a path or a URL
- ``reference``   `Repository`, `Tag`, `RegistryAddress`
- ``descriptor``  `Descriptor`: a promise of media type, digest and size
- ``manifest``    `Manifest` and `Index`, and the one way to parse them
- ``media``       the media types that we know
"""
