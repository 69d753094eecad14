"""A delivery in, push events out: what registries say when something is pushed. Pure.

- ``event``         the types: `Delivery` (untrusted) and `PushEvent` (an authenticated hint)
- ``decode``        the table of senders and `decode`, which recognises one by headers and shape
- ``distribution``  the Docker registry 2.x and 3.x, and what speaks like it
- ``cloudevents``   zot
"""
