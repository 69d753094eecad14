"""The facts, each within seconds. What blocks runs in a thread that nobody waits for at the end.

- ``bounded``  a deadline for work that blocks
- ``folders``  what lies on the disk
- ``network``  a name, a connection, TLS
- ``http``     one request to the receiver
- ``sqlite``   whether a database file is sound
"""
