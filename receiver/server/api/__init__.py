"""The HTTP API: where addons are, what happened, and the same requests as the commands. For programs and the page.

- ``app``         `Api`: every endpoint as a row of a table, from which routes and OpenAPI document are made
- ``gate``        who may ask: a credential of its own, names of this host, requests that no foreign page can make
- ``endpoint``    a row of the table, and one request to it: judged, read, answered
- ``parameters``  what may stand behind the question mark
- ``shapes``      the documents that are sent and taken, where no view is one already
- ``reading``     what is known
- ``asking``      what is to be done
- ``stream``      journal entries as they come (server-sent events)
- ``following``   one reader of the journal for all streams
- ``openapi``     the table as an OpenAPI document; pure

All goes through `receiver.sync.views.Views` and `receiver.sync.engine.Engine`.
"""
