"""A delivery in, push events out: what registries say when something is pushed. Pure.

- ``event``         the types: `Delivery` (untrusted) and `PushEvent` (an authenticated hint)
- ``decode``        the table of senders and `decode`, which recognises one by headers and shape
- ``sender``        what a row of that table is, and the reasons for which events are ignored
- ``proof``         how senders prove who they are
- ``fields``        judges the single fields, for all senders
- ``hint``          from the words of one change to its event, for senders of one event a delivery
- ``distribution``  the Docker registry 2.x and 3.x, and GitLab
- ``cloudevents``   zot
- ``harbor``, ``acr``, ``ghcr``, ``dockerhub``, ``quay``, ``nexus``, ``artifactory``, ``gitea``, ``google``: one each
"""
