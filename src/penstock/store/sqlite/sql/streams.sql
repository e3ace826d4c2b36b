-- name: write_streams
-- Fenced as progress is. Another run, or the same one that begins anew (a larger part), makes the next version. What a run
-- has still to write of a part that it has left is taken, and changes nothing.
INSERT INTO penstock_streams (job_id, name, version, claim_id, part, attempt, length, cut, at)
SELECT j.id, json_extract(w.value, '$.name'), 1, j.claim_id, json_extract(w.value, '$.part'),
       json_extract(w.value, '$.attempt'), json_extract(w.value, '$.end'), json_extract(w.value, '$.cut'), :now
FROM json_each(:rows) w CROSS JOIN penstock_jobs j ON j.id = json_extract(w.value, '$.id')
WHERE j.claim_id = json_extract(w.value, '$.claim') AND j.state = 'running' AND j.cancel_requested_at IS NULL
ON CONFLICT (job_id, name) DO UPDATE SET
    version = version + (claim_id <> excluded.claim_id OR part < excluded.part),
    length = CASE WHEN claim_id <> excluded.claim_id OR part < excluded.part THEN excluded.length
                  WHEN part = excluded.part THEN max(length, excluded.length) ELSE length END,
    cut = CASE WHEN claim_id <> excluded.claim_id OR part < excluded.part THEN excluded.cut
               WHEN part = excluded.part THEN max(cut, excluded.cut) ELSE cut END,
    part = CASE WHEN claim_id <> excluded.claim_id THEN excluded.part ELSE max(part, excluded.part) END,
    claim_id = excluded.claim_id, attempt = excluded.attempt, at = excluded.at
RETURNING job_id, claim_id, name, version, part

-- name: write_chunks
-- After `write_streams`, which holds the rows of the jobs. What is written again, because nobody heard that it had
-- arrived, takes the place of itself. Of older versions nothing stays.
DELETE FROM penstock_stream_chunks WHERE rowid IN (
    SELECT c.rowid FROM json_each(:rows) w CROSS JOIN penstock_stream_chunks c
    ON c.job_id = json_extract(w.value, '$.id') AND c.name = json_extract(w.value, '$.name')
       AND c.version < json_extract(w.value, '$.version'))
;;
INSERT INTO penstock_stream_chunks (job_id, name, version, start, text)
SELECT json_extract(value, '$.id'), json_extract(value, '$.name'), json_extract(value, '$.version'),
       json_extract(value, '$.start'), json_extract(value, '$.text')
FROM json_each(:rows) WHERE json_extract(value, '$.text') <> ''
ON CONFLICT (job_id, name, version, start) DO UPDATE SET text = excluded.text
WHERE length(excluded.text) > length(penstock_stream_chunks.text)

-- name: streams_of
SELECT j.state, s.name, s.version, s.attempt, s.length, s.cut, s.at
FROM penstock_jobs j LEFT JOIN penstock_streams s ON s.job_id = j.id AND (:name IS NULL OR s.name = :name)
WHERE j.id = :job_id ORDER BY s.name

-- name: stream_chunks
-- From the chunk on that holds the start.
SELECT start, text FROM penstock_stream_chunks
WHERE job_id = :job_id AND name = :name AND version = :version AND start >= coalesce((
    SELECT max(start) FROM penstock_stream_chunks
    WHERE job_id = :job_id AND name = :name AND version = :version AND start <= :start), 0)
ORDER BY start
