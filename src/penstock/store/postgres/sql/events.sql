-- name: publish
INSERT INTO penstock.events (stream, type, subject, data, at)
SELECT stream, type, subject, data, :now
FROM json_to_recordset(:events::json) AS e(stream text, type text, subject text, data json);

-- name: number_events
-- Positions are given after commit, in insert order, under the lock of the head's row (`lock_log`, a statement before
-- this one). An event that commits late gets a later position than those a reader may already have seen, so a reader
-- misses nothing.
WITH head AS MATERIALIZED (
    SELECT position FROM penstock.log_head
), fresh AS MATERIALIZED (
    SELECT e.id, head.position + row_number() OVER (ORDER BY e.id) AS position
    FROM head CROSS JOIN LATERAL (
        SELECT id FROM penstock.events WHERE position IS NULL ORDER BY id LIMIT :limit) e
), numbered AS (
    UPDATE penstock.events e SET position = f.position FROM fresh f
    -- One look-up for each row, as in settle.sql; written so that no index of all that is unnumbered offers itself.
    WHERE e.id = ANY (ARRAY[f.id]) AND num_nulls(e.position) = 1
    RETURNING e.position
), moved AS (
    UPDATE penstock.log_head SET position = position + (SELECT count(*) FROM numbered)
    WHERE EXISTS (SELECT FROM numbered)
)
SELECT count(*) FROM numbered;

-- name: lock_log
SELECT position FROM penstock.log_head FOR UPDATE;

-- name: unnumbered
SELECT 1 FROM penstock.events WHERE position IS NULL LIMIT 1;

-- name: read_events
SELECT position, stream, type, subject, data, at FROM penstock.events
WHERE position > :after
  AND (:stream::text IS NULL OR stream = :stream)
  AND (:subject::text IS NULL OR subject = :subject)
  AND (:types::json IS NULL OR type IN (SELECT json_array_elements_text(:types::json)))
ORDER BY position LIMIT :limit;

-- name: log_head
SELECT position FROM penstock.log_head;
