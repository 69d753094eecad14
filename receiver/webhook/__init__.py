"""A delivery in, push events out: what registries say when something is pushed. Pure.

- ``event``         the types: `Delivery` (untrusted) and `PushEvent` (an authenticated hint)
- ``decode``        the table of senders and `decode`, which recognises one by headers and shape
- ``sender``        what a row of that table is, and the reasons for which events are ignored
- ``fields``        judges the single fields, for all senders
- ``distribution``  the Docker registry 2.x and 3.x, and what speaks like it
- ``cloudevents``   zot
"""
