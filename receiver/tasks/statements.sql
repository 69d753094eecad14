-- Every statement that the queue runs, by name. "each" marks the group of values that is repeated for many rows.

-- name: recent
-- What brought event identifiers, the newest first.
SELECT sender, received, events FROM delivery ORDER BY id DESC;

-- name: store
INSERT INTO delivery (id, received, sender, verdict, reason, address, events, headers, body)
VALUES /* each */ (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: bounds
-- Where the deliveries begin and the journal ends in the stream of numbers (limits.weight). A number that was given once
-- is not given again, even where all entries have been forgotten.
SELECT
  (SELECT min(id) FROM delivery),
  max(
    coalesce((
      SELECT id + max(:least, length(headers) + length(body) + length(CAST(events AS BLOB)))
      FROM delivery ORDER BY id DESC LIMIT 1), 0),
    coalesce((SELECT max(id) + 1 FROM aside), 0),
    coalesce((SELECT max(id) + 1 FROM activity), 0),
    (SELECT up_to FROM indexed)
  );

-- name: page
-- One page of the deliveries, which is a range of bytes and so bounded in memory.
SELECT id, sender, received, verdict, reason, address, headers, body, events
FROM delivery
WHERE id > :after AND id <= :last
  AND (:since IS NULL OR received >= :since)
  AND (:until IS NULL OR received < :until)
  AND (:verdict IS NULL OR verdict = :verdict)
  AND (:sender IS NULL OR sender = :sender)
  AND (:repository IS NULL OR EXISTS (
    SELECT 1 FROM json_each(events)
    WHERE json_extract(value, '$.repository') = :repository
      AND coalesce(json_extract(value, '$.left_out'), 'duplicate') = 'duplicate'))
ORDER BY id;

-- name: delivery
SELECT id, sender, received, verdict, reason, address, headers, body, events FROM delivery WHERE id = :id;

-- name: trim_old
-- At most so many rows, and so many bytes from the first of them on: large bodies take their time too. Only the oldest
-- are looked at: deliveries are in the order of their numbers, and nearly in that of time.
DELETE FROM delivery WHERE id IN (
  SELECT id FROM (
    SELECT id, received FROM delivery
    WHERE id < :bytes + (SELECT min(id) FROM delivery)
    ORDER BY id LIMIT :most)
  WHERE received < :before);

-- name: trim_below
DELETE FROM delivery WHERE id IN (
  SELECT id FROM delivery
  WHERE id < :floor AND id < :bytes + (SELECT min(id) FROM delivery)
  ORDER BY id LIMIT :most);

-- name: trim_asides
-- Only the oldest are looked at: entries are in the order of their numbers, and nearly in that of time.
DELETE FROM aside WHERE id IN (
  SELECT id FROM (SELECT id, received FROM aside ORDER BY id LIMIT :most) WHERE received < :before);

-- name: trim_activities
DELETE FROM activity WHERE id IN (
  SELECT id FROM (SELECT id, at FROM activity ORDER BY id LIMIT :most) WHERE at < :before);

-- name: trim_answers
DELETE FROM answer WHERE last IN (SELECT last FROM answer WHERE last < :floor ORDER BY last LIMIT :most);

-- name: trim_mentions
DELETE FROM mention WHERE (term, id) IN (
  SELECT term, id FROM mention WHERE term = :term AND id < :floor ORDER BY id LIMIT :most);

-- name: trim_terms
DELETE FROM term WHERE NOT EXISTS (SELECT 1 FROM mention WHERE mention.term = term.id);

-- name: floor
-- The number of the oldest entry.
SELECT min(id) FROM (
  SELECT min(id) AS id FROM delivery UNION ALL SELECT min(id) FROM aside UNION ALL SELECT min(id) FROM activity);

-- name: bound_asides
DELETE FROM aside WHERE id IN (SELECT id FROM aside ORDER BY id LIMIT :excess);

-- name: bound_activities
DELETE FROM activity WHERE id IN (SELECT id FROM activity ORDER BY id LIMIT :excess);

-- name: counts
SELECT (SELECT count(*) FROM aside), (SELECT count(*) FROM activity);

-- name: answered
SELECT coalesce(max(last), 0) FROM answer;

-- name: set_aside
INSERT INTO aside (id, received, answered, sender, verdict, reason, address, origin, count, events)
VALUES /* each */ (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: record
INSERT INTO activity (id, at, kind, outcome, repository, document) VALUES /* each */ (?, ?, ?, ?, ?, ?);

-- name: answer
INSERT OR REPLACE INTO answer (last, at) VALUES /* each */ (?, ?);

-- name: terms
SELECT id, word FROM term;

-- name: learn
INSERT INTO term (word) VALUES (:word) ON CONFLICT (word) DO UPDATE SET word = excluded.word RETURNING id;

-- name: mention
INSERT OR IGNORE INTO mention (term, id) VALUES /* each */ (?, ?);

-- name: indexed
SELECT up_to FROM indexed;

-- name: indexed_up_to
UPDATE indexed SET up_to = :up_to;

-- name: unindexed_deliveries
SELECT id, sender, verdict, events FROM delivery WHERE id >= :up_to ORDER BY id;

-- name: unindexed_asides
SELECT id, sender, verdict, events FROM aside WHERE id >= :up_to ORDER BY id;

-- name: unindexed_activities
SELECT id, kind, repository FROM activity WHERE id >= :up_to ORDER BY id;

-- name: last_mentions
SELECT word, last FROM (
  SELECT word, (SELECT max(mention.id) FROM mention WHERE mention.term = term.id) AS last
  FROM term WHERE word IN (SELECT value FROM json_each(:words)))
WHERE last IS NOT NULL;

-- name: mentions_before
SELECT id FROM mention WHERE term = (SELECT id FROM term WHERE word = :word) AND id > :after AND id < :before
ORDER BY id DESC LIMIT :most;

-- name: mentions_after
SELECT id FROM mention WHERE term = (SELECT id FROM term WHERE word = :word) AND id > :after AND id < :before
ORDER BY id LIMIT :most;

-- name: deliveries_before
SELECT id FROM delivery WHERE id > :after AND id < :before ORDER BY id DESC LIMIT :most;

-- name: deliveries_after
SELECT id FROM delivery WHERE id > :after AND id < :before ORDER BY id LIMIT :most;

-- name: asides_before
SELECT id FROM aside WHERE id > :after AND id < :before ORDER BY id DESC LIMIT :most;

-- name: asides_after
SELECT id FROM aside WHERE id > :after AND id < :before ORDER BY id LIMIT :most;

-- name: activities_before
SELECT id FROM activity WHERE id > :after AND id < :before ORDER BY id DESC LIMIT :most;

-- name: activities_after
SELECT id FROM activity WHERE id > :after AND id < :before ORDER BY id LIMIT :most;

-- name: arrivals
SELECT id, received, (SELECT at FROM answer WHERE last > arrival.id ORDER BY last LIMIT 1),
  sender, verdict, reason, address, NULL, events, length(body), 1
FROM delivery AS arrival WHERE id IN (SELECT value FROM json_each(:ids))
UNION ALL
SELECT id, received, answered, sender, verdict, reason, address, origin, events, 0, count
FROM aside WHERE id IN (SELECT value FROM json_each(:ids));

-- name: activities
SELECT id, at, kind, outcome, repository, document FROM activity WHERE id IN (SELECT value FROM json_each(:ids));

-- name: next_from
SELECT id, received FROM delivery WHERE id >= :number ORDER BY id LIMIT 1;

-- name: health
SELECT
  (SELECT count(*) FROM delivery) + (SELECT count(*) FROM aside) + (SELECT count(*) FROM activity),
  (SELECT received FROM delivery ORDER BY id LIMIT 1),
  (SELECT received FROM delivery ORDER BY id DESC LIMIT 1);

-- name: ask
-- Ask for a look. One that is queued is not doubled: it becomes due at the earlier time and keeps its attempts. A new
-- event starts the looks anew, its own tag may not be visible yet. The trigger of the higher rank stays (Trigger.rank,
-- in the column "revives"); of two alike, the newer. Where nothing would change, nothing is written.
INSERT INTO task (repository, state, trigger, revives, due, created, attempts, looks, force)
VALUES /* each */ (?, 'queued', ?, ?, ?, ?, 0, 0, ?)
ON CONFLICT (repository, state) DO UPDATE SET
  trigger = CASE WHEN excluded.revives >= revives THEN excluded.trigger ELSE trigger END,
  revives = max(revives, excluded.revives),
  due = min(due, excluded.due),
  looks = CASE WHEN excluded.trigger = 'event' THEN 0 ELSE looks END,
  force = max(force, excluded.force)
WHERE excluded.due < due OR excluded.force > force OR excluded.revives > revives
   OR (excluded.revives = revives AND excluded.trigger <> trigger)
   OR (excluded.trigger = 'event' AND looks > 0);

-- name: requeue
-- A task that comes back. It joins one that was queued meanwhile, which is the newer wish and keeps its looks, and its
-- trigger unless the one that comes back ranks higher; the failures are those of the repository and count on.
INSERT INTO task (repository, state, trigger, revives, due, created, attempts, looks, force, error, error_kind)
VALUES (:repository, :state, :trigger, :revives, :due, :created, :attempts, :looks, :force, :error, :error_kind)
ON CONFLICT (repository, state) DO UPDATE SET
  trigger = CASE WHEN excluded.revives > revives THEN excluded.trigger ELSE trigger END,
  revives = max(revives, excluded.revives),
  due = CASE WHEN :waits THEN due ELSE min(due, excluded.due) END,
  created = min(created, excluded.created),
  attempts = max(attempts, excluded.attempts),
  force = max(force, excluded.force),
  error = coalesce(excluded.error, error),
  error_kind = CASE WHEN excluded.error IS NULL THEN error_kind ELSE excluded.error_kind END;

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
RETURNING repository, state, trigger, due, created, attempts, looks, force, error, error_kind, digest;

-- name: renew
UPDATE task SET until = :until WHERE token = :token;

-- name: take
-- The task of a lease, which ends here; no row: the lease is lost.
DELETE FROM task WHERE token = :token
RETURNING repository, state, trigger, due, created, attempts, looks, force, error, error_kind, digest;

-- name: take_overdue
-- The tasks of all leases that ran out by ``now``; of all leases where it is NULL.
DELETE FROM task WHERE state = 'leased' AND (:now IS NULL OR until <= :now)
RETURNING repository, state, trigger, due, created, attempts, looks, force, error, error_kind, digest;

-- name: park
-- Replaces an older parked task of the repository.
INSERT OR REPLACE INTO task
  (repository, state, trigger, revives, due, created, attempts, looks, force, error, error_kind, digest)
VALUES
  (:repository, :state, :trigger, :revives, :due, :created, :attempts, :looks, :force, :error, :error_kind, :digest);

-- name: discard
DELETE FROM task WHERE state = 'parked' AND repository IN (SELECT value FROM json_each(:repositories));

-- name: tasks
SELECT repository, state, trigger, due, created, attempts, looks, force, error, error_kind, digest
FROM task ORDER BY repository, state;

-- name: parked
SELECT repository, state, trigger, due, created, attempts, looks, force, error, error_kind, digest
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
