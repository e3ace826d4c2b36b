-- name: steps_of
SELECT job_id, name, attempt, result, signal, until_at, started_at, at FROM penstock_steps
WHERE job_id IN (SELECT value FROM json_each(:ids))
ORDER BY job_id, at, name

-- name: write_steps
-- Fenced as progress is. A step that is written again (its stored result no longer fitted, a wait is over) takes the
-- place of the old one.
INSERT INTO penstock_steps (job_id, name, attempt, result, signal, until_at, started_at, at)
SELECT j.id, json_extract(s.value, '$.name'), json_extract(s.value, '$.attempt'), json_extract(s.value, '$.result'),
       json_extract(s.value, '$.signal'), json_extract(s.value, '$.until'), json_extract(s.value, '$.started'), :now
FROM json_each(:rows) s CROSS JOIN penstock_jobs j ON j.id = json_extract(s.value, '$.id')
WHERE j.claim_id = json_extract(s.value, '$.claim') AND j.state = 'running' AND j.cancel_requested_at IS NULL
ON CONFLICT (job_id, name) DO UPDATE SET
    attempt = excluded.attempt, result = excluded.result, signal = excluded.signal, until_at = excluded.until_at,
    started_at = excluded.started_at, at = excluded.at
RETURNING job_id, name

-- name: insert_signal
INSERT INTO penstock_signals (job_id, name, data, sent_at) VALUES (:job_id, :name, :data, :now)

-- name: take_signal
DELETE FROM penstock_signals WHERE id = (
    SELECT id FROM penstock_signals WHERE job_id = :job_id AND name = :name ORDER BY id LIMIT 1)
RETURNING data

-- name: wake_signalled
-- Of these jobs, those that wait for a signal which has been sent.
UPDATE penstock_jobs SET
    state = 'ready',
    position = :now - priority * coalesce(
        (SELECT q.aging_step FROM penstock_lanes l JOIN penstock_queues q ON q.name = l.queue
         WHERE l.id = penstock_jobs.lane_id), :strict_step),
    due_at = NULL, reason = NULL
WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'scheduled' AND reason = 'signal' AND EXISTS (
    SELECT 1 FROM penstock_steps s JOIN penstock_signals g ON g.job_id = s.job_id AND g.name = s.signal
    WHERE s.job_id = penstock_jobs.id AND s.result IS NULL)
RETURNING (SELECT queue FROM penstock_lanes WHERE id = lane_id)

-- name: copy_steps
INSERT INTO penstock_steps (job_id, name, attempt, result, signal, until_at, started_at, at)
SELECT :copy, name, 0, result, signal, until_at, started_at, at FROM penstock_steps
WHERE job_id = :job_id AND at < :before

-- name: stored_steps
-- What unfinished jobs have stored, by kind, but for waits: those name themselves.
SELECT l.kind, s.name, count(*), min(s.job_id) FROM penstock_steps s
JOIN penstock_jobs j ON j.id = s.job_id JOIN penstock_lanes l ON l.id = j.lane_id
WHERE j.finished_at IS NULL AND s.signal IS NULL AND s.until_at IS NULL
GROUP BY l.kind, s.name ORDER BY l.kind, s.name LIMIT :limit
