"""The HTTP door: bound, authenticate, decode, store, answer; health, metrics, a page. Home of aiohttp's server.

- ``app``            `Door` (what the rest of the program gives to it) and `HttpServer` (start and stop)
- ``routes``         the table of paths and methods: every endpoint is a line in it
- ``endpoint``       ``POST /v1/notifications`` as HTTP: credential, limits, body, answer
- ``notifications``  what becomes of a delivery; knows no HTTP
- ``credentials``    whether a token is valid; pure
- ``gate``           for which senders the credential of a request speaks; pure
- ``body``           a request's body within its limits
- ``control``        how commands work through a running receiver
- ``api``            the HTTP API for other programs and the page
- ``jobs``           what was asked for over HTTP and takes a while
- ``page``         the page for an operator, a room of its own
- ``session``      who is signed in to it
- ``site``           whose page is behind a request, and by which name we are asked; pure
- ``status``         ``/healthz``, ``/readyz``, ``/metrics``
- ``answers``        the responses
- ``head``           takes out a doubled Content-Type, which aiohttp would refuse; pure
- ``connections``    the connections, and the deadlines that aiohttp does not have
- ``places``         the cap on connections, and who goes first; pure
- ``failures``       addresses that present wrong credentials again and again; pure
- ``refusals``       which of them are worth a line in the log; pure
- ``tls``            the certificate, read again when it changes, and those of clients
- ``handshake``      a connection until TLS is agreed on
"""
