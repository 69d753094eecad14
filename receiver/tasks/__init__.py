"""The durable list of addons that need a look.

- ``task``    `Task`, its states as a literal table, `Trigger`                       pure
- ``queue``   `TaskQueue` and `DeliveryJournal`, the Protocols that the rest works with
- ``limits``  `Limits`, the global caps; ``recent``: event identifiers of late                    pure
- ``memory``  the same promises without durability, for tests and for reading the contract
- ``sqlite``  the durable one; below it, from the outside in:
    - ``writer``      one thread, one connection, commits grouped
    - ``intake``      the hot path: many deliveries in a handful of statements
    - ``store``       what the other calls do with the tables
    - ``statements``  SQL by name (``statements.sql``, ``schema.sql``); ``database``: the file, opened and checked
"""
