"""The addon catalogue on disk: what may be in it, and how a release gets there whole or not at all.

Pure: ``layout`` (where each layer goes), ``names`` (which paths are portable), ``limits``; types: ``release`` and
``record``.

From a verified layer to a staged tree: ``inflate`` (gzip), ``archive`` (strict tar reader), ``staging`` (writes files).

From a staged tree to the catalogue: ``gate`` (what may come to which place), ``stager`` (stages a release and plans its
steps), ``manifest`` (``addon.manifest.yaml``: judge, merge), ``schema`` (the catalogue's JSON schema of it), ``shared``
(the manifest of several implementations), ``transaction`` (the journal and its steps), ``transactions`` (their folder:
carry out, recover), ``local`` (files that are the operator's), ``records`` (the folder of records), ``store`` (the
catalogue as a whole), ``presence`` and ``drift`` (what is not as it was installed), ``listing`` (what is there),
``sweeper`` (removes old trees), ``filesystem`` (the few calls that differ between Linux and Windows).
"""
