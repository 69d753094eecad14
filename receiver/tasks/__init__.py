"""The durable list of addons that need a look.

- ``task``    `Task`, its states as a literal table, `Trigger`                       pure
- ``queue``   `TaskQueue`, the Protocol that the rest works with                                   pure
- ``journal`` `Journal`: everything that arrived and was done, in one list of entries            pure
- ``limits``  `Limits`, the global caps; ``recent``: event identifiers of late                    pure
- ``memory``, ``memory_journal``  the same promises without durability, for tests and for reading the contract
- ``sqlite``, ``sqlite_journal``  the durable ones; below them, from the outside in:
    - ``writer``      one thread, one connection, commits grouped
    - ``intake``      the hot path: many deliveries in a handful of statements
    - ``ledger``      numbers of entries, and what finds them: written behind the answers
    - ``entries``     what the journal is asked
    - ``store``       what the other calls do with the tables
    - ``statements``  SQL by name (the ``.sql`` files); ``database``: the file, opened and checked
"""
