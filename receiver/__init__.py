"""addon-sync: a push to a registry becomes an installed addon.

A webhook becomes a task; a task is planned; a plan fetches blobs from the registry and publishes a release in the
catalogue. The rooms, in that order:

- ``server``     the HTTP door: authenticated, bounded, durable before answered
- ``webhook``    a delivery in, push events out                                   pure
- ``tasks``      the durable list of addons that need a look
- ``sync``       look, compare, plan, fetch, install; poll and replay
- ``registry``   the pull client of the distribution specification
- ``blobs``      verified content by digest, as an OCI image layout (with ``ingest``: how it comes in)
- ``catalog``    strict archives, staged trees, all-or-nothing exchange
- ``packaging``  the other direction: an addon folder into an artifact, and into a registry

``oci``, ``addon``, ``document``, ``links`` and ``errors`` are the words that all of them share; ``config`` (with
``settings_table``, ``setting``, ``settings_file``, ``notation``, ``secret`` and ``sender_secrets``), ``log``, ``lock``,
``report`` and ``metrics`` what a program needs besides. ``app`` builds it all (``connect`` only the
registry's client), ``serve`` keeps it running, ``cli`` is the command line.
"""

__version__ = "0.1.0"
