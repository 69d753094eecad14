-- Version 3 of the queue's file: a delivery is appended to one table, and to nothing else.

-- Its events are in its row: what dropped duplicates after a start is read from there.
DROP TABLE seen;
-- Deliveries are in the order of their numbers, and nearly in that of time: a time is found by halving (entries.around).
DROP INDEX delivery_by_received;
