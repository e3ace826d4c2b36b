-- name: write_streams
-- Fenced and locked as progress is. Another run, or the same one that begins anew, makes the next version, and what was
-- there goes. Text that is written again, because nobody heard that it had arrived, takes the place of itself.
WITH held AS MATERIALIZED (
    SELECT j.id, w.claim, w.attempt, w.name, w.part, w.start, w."end", w.text, w.cut
    FROM json_to_recordset(:rows::json) AS w(
        id uuid, claim bigint, attempt smallint, name text, part integer, start integer, "end" integer, text text,
        cut boolean)
    JOIN penstock.jobs j ON j.id = ANY (ARRAY[w.id]) AND j.claim_id = w.claim AND j.cancel_requested_at IS NULL
    FOR NO KEY UPDATE OF j
), heads AS (
    INSERT INTO penstock.streams AS s (job_id, name, version, claim_id, part, attempt, length, cut, at)
    SELECT id, name, 1, claim, part, attempt, "end", cut, :now FROM held
    ON CONFLICT (job_id, name) DO UPDATE SET
        version = s.version + (s.claim_id <> excluded.claim_id OR s.part < excluded.part)::integer,
        length = CASE WHEN s.claim_id = excluded.claim_id AND s.part = excluded.part
                      THEN greatest(s.length, excluded.length) ELSE excluded.length END,
        cut = excluded.cut OR (s.cut AND s.claim_id = excluded.claim_id AND s.part = excluded.part),
        claim_id = excluded.claim_id, part = excluded.part, attempt = excluded.attempt, at = excluded.at
    WHERE s.claim_id <> excluded.claim_id OR s.part <= excluded.part
    RETURNING s.job_id, s.name, s.version
), gone AS (
    DELETE FROM penstock.stream_chunks c USING heads h
    WHERE c.job_id = ANY (ARRAY[h.job_id]) AND c.name = h.name AND c.version < h.version
), kept AS (
    INSERT INTO penstock.stream_chunks AS c (job_id, name, version, start, text)
    SELECT h.job_id, h.name, h.version, w.start, w.text
    FROM heads h JOIN held w ON w.id = h.job_id AND w.name = h.name WHERE w.text <> ''
    ON CONFLICT (job_id, name, version, start) DO UPDATE SET text = excluded.text
    WHERE length(excluded.text) > length(c.text)
)
SELECT id, claim, name FROM held;

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
