-- Every statement that the queue runs, by name. "each" marks the group of values that is repeated for many rows.

-- name: seen
SELECT sender, event_id, first FROM seen ORDER BY id;

-- name: remember
INSERT INTO seen (sender, event_id, first) VALUES /* each */ (?, ?, ?);

-- name: forget_seen
DELETE FROM seen WHERE id <= :newest - :keep;

-- name: store
INSERT INTO delivery (id, received, sender, verdict, reason, events, headers, body)
VALUES /* each */ (?, ?, ?, ?, ?, ?, ?, ?);

-- name: bounds
-- Where the journal begins and ends in the stream of bytes (limits.weight).
SELECT
  (SELECT min(id) FROM delivery),
  (SELECT id + max(:least, length(headers) + length(body)) FROM delivery ORDER BY id DESC LIMIT 1);

-- name: page
-- One page of the journal, which is a range of bytes and so bounded in memory.
SELECT id, sender, received, verdict, reason, headers, body, events
FROM delivery
WHERE id > :after AND id <= :last
  AND (:since IS NULL OR received >= :since)
  AND (:until IS NULL OR received < :until)
  AND (:verdict IS NULL OR verdict = :verdict)
  AND (:repository IS NULL
       OR EXISTS (SELECT 1 FROM json_each(events) WHERE json_extract(value, '$.repository') = :repository))
ORDER BY id;

-- name: trim_old
DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE received < :before ORDER BY received LIMIT :most);

-- name: trim_below
DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE id < :floor ORDER BY id LIMIT :most);

-- name: trim_all_below
DELETE FROM delivery WHERE id < :floor;

-- name: ask
-- Ask for a look. One that is queued is not doubled: it becomes due at the earlier time and keeps its attempts. A new
-- event starts the looks anew, its own tag may not be visible yet; a poll does not hide that there was one. Where nothing
-- would change, nothing is written.
INSERT INTO task (repository, state, trigger, revives, due, created, attempts, looks, force)
VALUES /* each */ (?, 'queued', ?, ?, ?, ?, 0, 0, ?)
ON CONFLICT (repository, state) DO UPDATE SET
  trigger = CASE WHEN excluded.revives > revives OR (excluded.revives = revives AND excluded.trigger <> 'poll')
    THEN excluded.trigger ELSE trigger END,
  revives = max(revives, excluded.revives),
  due = min(due, excluded.due),
  looks = CASE WHEN excluded.trigger = 'event' THEN 0 ELSE looks END,
  force = max(force, excluded.force)
WHERE excluded.due < due OR excluded.force > force OR excluded.revives > revives
   OR (excluded.revives = revives AND excluded.trigger <> trigger AND excluded.trigger <> 'poll')
   OR (excluded.trigger = 'event' AND looks > 0);

-- name: requeue
-- A task that comes back. It joins one that was queued meanwhile, which is the newer wish and keeps its looks; the
-- failures are those of the repository and count on.
INSERT INTO task (repository, state, trigger, revives, due, created, attempts, looks, force, error)
VALUES (:repository, :state, :trigger, :revives, :due, :created, :attempts, :looks, :force, :error)
ON CONFLICT (repository, state) DO UPDATE SET
  trigger = CASE WHEN excluded.revives > revives THEN excluded.trigger ELSE trigger END,
  revives = max(revives, excluded.revives),
  due = CASE WHEN :waits THEN due ELSE min(due, excluded.due) END,
  created = min(created, excluded.created),
  attempts = max(attempts, excluded.attempts),
  force = max(force, excluded.force),
  error = coalesce(excluded.error, error);

-- name: lease
-- A time further away than any that is ever set was set before the clock was put back: it is due.
UPDATE task SET state = 'leased', token = :token, until = :until
WHERE id = (
  SELECT id FROM task AS candidate
  WHERE state = 'queued' AND (due <= :now OR due > :now + :longest)
    AND NOT EXISTS (SELECT 1 FROM task WHERE repository = candidate.repository AND state = 'leased')
    AND (:only IS NULL OR repository IN (SELECT value FROM json_each(:only)))
  ORDER BY due, id LIMIT 1
)
RETURNING repository, state, trigger, due, created, attempts, looks, force, error, digest;

-- name: renew
UPDATE task SET until = :until WHERE token = :token;

-- name: take
-- The task of a lease, which ends here; no row: the lease is lost.
DELETE FROM task WHERE token = :token
RETURNING repository, state, trigger, due, created, attempts, looks, force, error, digest;

-- name: take_overdue
-- The tasks of all leases that ran out by ``now``; of all leases where it is NULL.
DELETE FROM task WHERE state = 'leased' AND (:now IS NULL OR until <= :now)
RETURNING repository, state, trigger, due, created, attempts, looks, force, error, digest;

-- name: park
-- Replaces an older parked task of the repository.
INSERT OR REPLACE INTO task (repository, state, trigger, revives, due, created, attempts, looks, force, error, digest)
VALUES (:repository, :state, :trigger, :revives, :due, :created, :attempts, :looks, :force, :error, :digest);

-- name: discard
DELETE FROM task WHERE state = 'parked' AND repository IN (SELECT value FROM json_each(:repositories));

-- name: tasks
SELECT repository, state, trigger, due, created, attempts, looks, force, error, digest
FROM task ORDER BY repository, state;

-- name: parked
SELECT repository, state, trigger, due, created, attempts, looks, force, error, digest
FROM task WHERE repository = :repository AND state = 'parked';

-- name: next_due
SELECT min(due) FROM task AS candidate
WHERE state = 'queued'
  AND NOT EXISTS (SELECT 1 FROM task WHERE repository = candidate.repository AND state = 'leased');

-- name: repositories
SELECT name FROM repository ORDER BY name;

-- name: know
INSERT OR IGNORE INTO repository (name) VALUES /* each */ (?);

-- name: forget_repositories
-- The oldest names that nothing waits for make room.
DELETE FROM repository WHERE id IN (
  SELECT id FROM repository WHERE name NOT IN (SELECT repository FROM task) ORDER BY id LIMIT :most
)
RETURNING name;

-- name: instances
SELECT sender, instance_id, last FROM instance;

-- name: meet
INSERT INTO instance (sender, instance_id, first, last) VALUES /* each */ (?, ?, ?, ?)
ON CONFLICT (sender, instance_id) DO UPDATE SET last = excluded.last;

-- name: forget_instance
DELETE FROM instance WHERE sender = ? AND instance_id = ?;
