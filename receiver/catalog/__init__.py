"""The addon catalogue on disk: what may be in it, and how a release gets there whole or not at all.

Pure: ``layout`` (where each layer goes), ``names`` (which paths are portable), ``release`` (the types at the door).

From a verified layer to a staged tree: ``inflate`` (gzip), ``archive`` (strict tar reader), ``staging`` (writes files).

From a staged tree to the catalogue: ``stager`` (stages a release and plans its steps), ``manifest``
(``addon.manifest.yaml``: judge, merge), ``records`` (what is installed, which files are ours), ``transaction`` (the
journal and its steps), ``local`` (files that are the operator's), ``store`` (install, recover), ``listing`` (what is
there), ``sweeper`` (removes old trees), ``filesystem`` (the few calls that differ between Linux and Windows).
"""
