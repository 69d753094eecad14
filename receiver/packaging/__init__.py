"""An addon's folder in, an artifact in a registry out: what a catalogue holds, packed so that it can be delivered.

- ``artifact``  `build` packs a folder, `index` joins several, `write_layout` keeps them where other tools read
- ``push``      `push` uploads what the registry lacks, manifests last
- ``flux``      the resources by which FluxCD watches one addon
"""
