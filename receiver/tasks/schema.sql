-- Version 1 of the queue's file. A later version is a file of its own that alters this one: see database.MIGRATIONS.

-- Addons that need a look. A task that is done is deleted. At most one queued, one leased and one parked task a
-- repository: a push during a sync leaves exactly one task waiting, a flood costs one row an addon.
CREATE TABLE task (
  id         INTEGER PRIMARY KEY,
  repository TEXT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('queued', 'leased', 'parked')),
  trigger    TEXT NOT NULL,
  revives    INTEGER NOT NULL,  -- Trigger.rank, so that the rule for joining stays in one place
  due        REAL NOT NULL,
  created    REAL NOT NULL,
  attempts   INTEGER NOT NULL,
  looks      INTEGER NOT NULL,
  force      INTEGER NOT NULL,
  error      TEXT,
  digest     TEXT,
  token      TEXT UNIQUE,
  until      REAL,
  UNIQUE (repository, state),
  CHECK ((state = 'leased') = (token IS NOT NULL)),
  CHECK ((state = 'leased') = (until IS NOT NULL))
);
CREATE INDEX task_by_due ON task (state, due);

-- The journal. ``id`` is where the delivery begins in the stream of all bytes ever stored (limits.weight), so that the
-- newest so many bytes are a range of the key. ``events`` is a JSON array: it is never joined, only read along.
CREATE TABLE delivery (
  id       INTEGER PRIMARY KEY,
  received REAL NOT NULL,
  sender   TEXT NOT NULL,
  verdict  TEXT NOT NULL CHECK (verdict IN ('accepted', 'quarantined')),
  reason   TEXT,
  events   TEXT NOT NULL,
  headers  BLOB NOT NULL,
  body     BLOB NOT NULL
);
CREATE INDEX delivery_by_received ON delivery (received);

-- Event identifiers, for dropping duplicates: appended here, looked up in memory. Without an index on purpose: random
-- identifiers would write a page of it each. Bounded by count; age is judged when looked up.
CREATE TABLE seen (
  id       INTEGER PRIMARY KEY,
  sender   TEXT NOT NULL,
  event_id TEXT NOT NULL,
  first    REAL NOT NULL
);

-- Processes that sent something: a new one may have lost events of the one before.
CREATE TABLE instance (
  sender      TEXT NOT NULL,
  instance_id TEXT NOT NULL,
  first       REAL NOT NULL,
  last        REAL NOT NULL,
  PRIMARY KEY (sender, instance_id)
) WITHOUT ROWID;

-- Every repository that was named: what a poll looks at where the registry has no catalogue.
CREATE TABLE repository (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);
