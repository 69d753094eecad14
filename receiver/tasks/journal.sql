-- Version 2 of the queue's file: the journal keeps everything that arrived and was done, and can be asked.

-- By the kind of an error its remedy is told.
ALTER TABLE task ADD COLUMN error_kind TEXT;

-- All entries have their numbers from one stream: a delivery takes as many as it has bytes (limits.weight), anything else
-- takes one. So the order of the numbers is that of the journal, across its three tables.

-- The address goes before the large columns: what stands behind them costs a walk through the pages of a body.
CREATE TABLE delivery_with_address (
  id       INTEGER PRIMARY KEY,
  received REAL NOT NULL,
  sender   TEXT NOT NULL,
  verdict  TEXT NOT NULL CHECK (verdict IN ('accepted', 'quarantined')),
  reason   TEXT,
  address  TEXT,
  events   TEXT NOT NULL,
  headers  BLOB NOT NULL,
  body     BLOB NOT NULL
);
INSERT INTO delivery_with_address SELECT id, received, sender, verdict, reason, NULL, events, headers, body FROM delivery;
DROP TABLE delivery;
ALTER TABLE delivery_with_address RENAME TO delivery;
CREATE INDEX delivery_by_received ON delivery (received);

-- Arrivals of which no body is kept. Many alike within a moment are one row.
CREATE TABLE aside (
  id       INTEGER PRIMARY KEY,
  received REAL NOT NULL,
  answered REAL,
  sender   TEXT NOT NULL,
  verdict  TEXT NOT NULL CHECK (verdict IN ('duplicate', 'ignored', 'refused', 'replayed')),
  reason   TEXT,
  address  TEXT,
  origin   TEXT,
  count    INTEGER NOT NULL,
  events   TEXT NOT NULL
);

-- What was done: syncs, polls, what operators asked for. The document is JSON of the room that did it.
CREATE TABLE activity (
  id         INTEGER PRIMARY KEY,
  at         REAL NOT NULL,
  kind       TEXT NOT NULL,
  outcome    TEXT NOT NULL,
  repository TEXT,
  document   BLOB NOT NULL
);

-- When deliveries could be answered: those before number ``last``, and not before the row before it. A row a commit;
-- without a time for those of which a crash left none.
CREATE TABLE answer (
  last INTEGER PRIMARY KEY,
  at   REAL
);

-- An index of words (ledger.words) that is written in large pieces, behind the answers of deliveries.
CREATE TABLE term (
  id   INTEGER PRIMARY KEY,
  word TEXT NOT NULL UNIQUE
);
CREATE TABLE mention (
  term INTEGER NOT NULL,
  id   INTEGER NOT NULL,
  PRIMARY KEY (term, id)
) WITHOUT ROWID;
-- Up to which number (and not including it) the words are in the index.
CREATE TABLE indexed (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  up_to INTEGER NOT NULL
);
INSERT INTO indexed VALUES (1, 0);
