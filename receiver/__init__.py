"""addon-sync: a push to a registry becomes an installed addon.

A webhook becomes a task; a task is planned; a plan fetches blobs from the registry and publishes a release in the
catalogue. The rooms, in that order:

- ``server``     the HTTP door: authenticated, bounded, durable before answered
- ``webhook``    a delivery in, push events out                                   pure
- ``tasks``      the durable list of addons that need a look, and the journal of all that happened
- ``sync``       look, compare, plan, fetch, install; poll and replay; answers about all of it
- ``registry``   the pull client of the distribution specification
- ``blobs``      verified content by digest, as an OCI image layout (with ``ingest``: how it comes in)
- ``catalog``    strict archives, staged trees, all-or-nothing exchange
- ``diagnosis``  what stands in the way of an addon that does not show up, with the remedy
- ``packaging``  the other direction: an addon folder into an artifact, and into a registry

``oci``, ``addon``, ``document``, ``links``, ``breaker``, ``http_client`` and ``errors`` are the words that all of
them share; ``config`` (with ``settings_table``, ``setting``, ``settings_file``, ``notation``, ``secret`` and
``sender_secrets``), ``log``, ``lock``, ``report``, ``metrics`` and ``systemd`` what a program needs besides; ``flux``
tells FluxCD of installations. ``app`` builds it all (``connect`` only the registry's client), ``serve`` keeps it
running, ``cli`` is the command line.
"""

__version__ = "0.1.0"
