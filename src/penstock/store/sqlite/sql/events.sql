-- name: publish
INSERT INTO penstock_events (stream, type, subject, data, at)
SELECT json_extract(value, '$.stream'), json_extract(value, '$.type'), json_extract(value, '$.subject'),
       json_extract(value, '$.data'), :now
FROM json_each(:events)

-- name: number_events
-- The row number is the position: one writer gives it in commit order.
SELECT 0

-- name: lock_log
-- The one writer is the lock.
SELECT 0

-- name: unnumbered
SELECT 1 WHERE 0

-- name: read_events
SELECT position, stream, type, subject, data, at FROM penstock_events
WHERE position > :after
  AND (:stream IS NULL OR stream = :stream)
  AND (:subject IS NULL OR subject = :subject)
  AND (:types IS NULL OR type IN (SELECT value FROM json_each(:types)))
ORDER BY position LIMIT :limit

-- name: log_head
SELECT coalesce(max(position), 0) FROM penstock_events
