-- name: write_streams
-- Fenced and locked as progress is. Another run, or the same one that begins anew (a larger part), makes the next version.
-- What a run has still to write of a part that it has left is taken, and changes nothing.
WITH held AS MATERIALIZED (
    SELECT j.id, w.claim, w.attempt, w.name, w.part, w."end", w.cut
    FROM json_to_recordset(:rows::json) AS w(
        id uuid, claim bigint, attempt smallint, name text, part integer, "end" integer, cut boolean)
    JOIN penstock.jobs j ON j.id = ANY (ARRAY[w.id]) AND j.claim_id = w.claim AND j.cancel_requested_at IS NULL
    FOR NO KEY UPDATE OF j
)
INSERT INTO penstock.streams AS s (job_id, name, version, claim_id, part, attempt, length, cut, at)
SELECT id, name, 1, claim, part, attempt, "end", cut, :now FROM held
ON CONFLICT (job_id, name) DO UPDATE SET
    version = s.version + (s.claim_id <> excluded.claim_id OR s.part < excluded.part)::integer,
    length = CASE WHEN s.claim_id <> excluded.claim_id OR s.part < excluded.part THEN excluded.length
                  WHEN s.part = excluded.part THEN greatest(s.length, excluded.length) ELSE s.length END,
    cut = CASE WHEN s.claim_id <> excluded.claim_id OR s.part < excluded.part THEN excluded.cut
               WHEN s.part = excluded.part THEN s.cut OR excluded.cut ELSE s.cut END,
    part = CASE WHEN s.claim_id <> excluded.claim_id THEN excluded.part ELSE greatest(s.part, excluded.part) END,
    claim_id = excluded.claim_id, attempt = excluded.attempt, at = excluded.at
RETURNING job_id, claim_id, name, version, part;

-- name: write_chunks
-- After `write_streams`, which holds the rows of the jobs. What is written again, because nobody heard that it had
-- arrived, takes the place of itself. Of older versions nothing stays.
WITH written AS MATERIALIZED (
    SELECT * FROM json_to_recordset(:rows::json) AS w(id uuid, name text, version integer, start integer, text text)
), gone AS (
    DELETE FROM penstock.stream_chunks c USING written w
    WHERE c.job_id = ANY (ARRAY[w.id]) AND c.name = w.name AND c.version < w.version
)
INSERT INTO penstock.stream_chunks AS c (job_id, name, version, start, text)
SELECT id, name, version, start, text FROM written WHERE text <> ''
ON CONFLICT (job_id, name, version, start) DO UPDATE SET text = excluded.text
WHERE length(excluded.text) > length(c.text);

-- name: streams_of
SELECT j.state::text, s.name, s.version, s.attempt, s.length, s.cut, s.at
FROM penstock.jobs j
LEFT JOIN penstock.streams s ON s.job_id = j.id AND (:name::text IS NULL OR s.name = :name::text)
WHERE j.id = :job_id::uuid ORDER BY s.name;

-- name: stream_chunks
-- From the chunk on that holds the start.
SELECT start, text FROM penstock.stream_chunks
WHERE job_id = :job_id::uuid AND name = :name AND version = :version AND start >= coalesce((
    SELECT max(start) FROM penstock.stream_chunks
    WHERE job_id = :job_id::uuid AND name = :name AND version = :version AND start <= :start), 0)
ORDER BY start;
