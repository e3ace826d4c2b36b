-- name: steps_of
SELECT job_id, name, attempt, result, signal, until_at, started_at, at FROM penstock.steps
WHERE job_id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid))
ORDER BY job_id, at, name;

-- name: write_steps
-- Fenced and locked as progress is. A step that is written again (its stored result no longer fitted, a wait is over)
-- takes the place of the old one.
WITH held AS MATERIALIZED (
    SELECT j.id, s.name, s.attempt, s.result, s.signal, s.until, s.started
    FROM json_to_recordset(:rows::json) AS s(
        id uuid, claim bigint, name text, attempt smallint, result text, signal text, until bigint, started bigint)
    JOIN penstock.jobs j ON j.id = ANY (ARRAY[s.id]) AND j.claim_id = s.claim AND j.cancel_requested_at IS NULL
    FOR NO KEY UPDATE OF j
)
INSERT INTO penstock.steps (job_id, name, attempt, result, signal, until_at, started_at, at)
SELECT id, name, attempt, result::json, signal, until, started, :now FROM held
ON CONFLICT (job_id, name) DO UPDATE SET
    attempt = excluded.attempt, result = excluded.result, signal = excluded.signal, until_at = excluded.until_at,
    started_at = excluded.started_at, at = excluded.at
RETURNING job_id, name;

-- name: insert_signal
INSERT INTO penstock.signals (job_id, name, data, sent_at) VALUES (:job_id, :name, :data::json, :now);

-- name: take_signal
DELETE FROM penstock.signals WHERE id = (
    SELECT id FROM penstock.signals WHERE job_id = :job_id AND name = :name ORDER BY id LIMIT 1)
RETURNING data;

-- name: wake_signalled
-- Of these jobs, those that wait for a signal which has been sent.
UPDATE penstock.jobs j SET
    state = 'ready', position = :now - j.priority * coalesce(q.aging_step, :strict_step), due_at = NULL, reason = NULL
FROM penstock.lanes l LEFT JOIN penstock.queues q ON q.name = l.queue
WHERE j.id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid)) AND l.id = j.lane_id
  AND j.state::text = 'scheduled' AND j.reason = 'signal' AND EXISTS (
      SELECT FROM penstock.steps s JOIN penstock.signals g ON g.job_id = s.job_id AND g.name = s.signal
      WHERE s.job_id = j.id AND s.result IS NULL)
RETURNING l.queue;

-- name: copy_steps
INSERT INTO penstock.steps (job_id, name, attempt, result, signal, until_at, started_at, at)
SELECT :copy::uuid, name, 0, result, signal, until_at, started_at, at FROM penstock.steps
WHERE job_id = :job_id AND at < :before;

-- name: stored_steps
-- What unfinished jobs have stored, by kind, but for waits: those name themselves.
SELECT l.kind, s.name, count(*), min(s.job_id::text) FROM penstock.steps s
JOIN penstock.jobs j ON j.id = s.job_id JOIN penstock.lanes l ON l.id = j.lane_id
WHERE j.finished_at IS NULL AND s.signal IS NULL AND s.until_at IS NULL
GROUP BY l.kind, s.name ORDER BY l.kind, s.name LIMIT :limit;
