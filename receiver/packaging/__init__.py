"""An addon's folder in, an artifact in a registry out: what a catalogue holds, packed so that it can be delivered.

- ``artifact``    `build` packs a folder, `index` joins several artifacts
- ``gitops``      the Job that every exported addon carries; ``flux``: the resources by which FluxCD watches one
- ``layout``      an image layout in one archive, that other tools read
- ``archive``     `LayoutArchive`: such an archive, judged and read where it lies
- ``deliveries``  which addons an archive delivers
- ``source``      an archive in the place of a registry, for syncing from it
- ``push``        `push` uploads what the registry lacks, manifests last
- ``ports``       what that asks of a registry
"""
