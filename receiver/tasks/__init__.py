"""The durable list of addons that need a look.

- ``task``    `Task`, its states as a literal table, `Trigger`                       pure
- ``queue``   `TaskQueue` and `DeliveryJournal`, the Protocols that the rest works with
- ``sqlite``  the durable one: one writing thread, commits grouped (``schema.sql``, ``statements.sql``)
- ``memory``  the same promises without durability, for tests and for reading the contract
"""
