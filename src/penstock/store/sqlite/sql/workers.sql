-- name: add_worker
INSERT INTO penstock_workers (name, host, pid, build_id, queues, kinds, steps, started_at, seen_at, lease)
VALUES (:name, :host, :pid, :build_id, :queues, :kinds, :steps, :now, :now, :lease)
RETURNING id

-- name: beat
UPDATE penstock_workers SET beats = beats + 1, seen_at = :now, stopping = :stopping, stats = :stats
WHERE id = :worker_id RETURNING id

-- name: held_by_worker
SELECT j.id, j.claim_id, j.claimed_at, j.started_at, j.cancel_requested_at IS NOT NULL FROM penstock_jobs j
WHERE j.worker_id = :worker_id AND j.state = 'running'

-- name: cancels_of_worker
SELECT id FROM penstock_jobs WHERE worker_id = :worker_id AND state = 'running' AND cancel_requested_at IS NOT NULL

-- name: mark_started
-- Long runs only: a run known to have begun counts as an attempt when its worker is lost.
UPDATE penstock_jobs AS j SET started_at = s.at
FROM (SELECT json_extract(value, '$.id') AS id,
             json_extract(value, '$.claim') AS claim,
             json_extract(value, '$.at') AS at
      FROM json_each(:runs)) AS s
WHERE j.id = s.id AND j.claim_id = s.claim AND j.state = 'running'
RETURNING id

-- name: remove_worker
DELETE FROM penstock_workers AS w WHERE w.id = :worker_id
  AND NOT EXISTS (SELECT 1 FROM penstock_jobs j WHERE j.worker_id = w.id AND j.state = 'running')

-- name: worker_beats
SELECT id, name, beats, lease FROM penstock_workers

-- name: worker_orphans
-- Runs whose worker's row is gone (a database restored from a backup, a row deleted by hand).
SELECT DISTINCT j.worker_id FROM penstock_jobs j
WHERE j.state = 'running' AND NOT EXISTS (SELECT 1 FROM penstock_workers w WHERE w.id = j.worker_id) LIMIT 100

-- name: runs_of_worker
SELECT j.id, j.claim_id, l.queue, l.kind, l.tenant, l.seal_key, l.solo, j.priority, j.attempt, j.losses, j.max_attempts,
       j.started_at, j.deadline_at, j.position, q.aging_step, d.options, j.cancel_requested_at
FROM (
    SELECT id FROM penstock_jobs
    WHERE worker_id = :worker_id AND state = 'running' ORDER BY id LIMIT :limit) raw
JOIN penstock_jobs j ON j.id = raw.id
JOIN penstock_job_data d ON d.job_id = j.id
JOIN penstock_lanes l ON l.id = j.lane_id
LEFT JOIN penstock_queues q ON q.name = l.queue

-- name: read_leader
SELECT worker_id, term, beats FROM penstock_leaders WHERE name = :name

-- name: take_lead
-- A term is taken by naming the term it follows: of two that saw the same silence one wins.
INSERT INTO penstock_leaders (name, worker_id, term, beats) VALUES (:name, :worker_id, 1, 0)
ON CONFLICT (name) DO UPDATE SET worker_id = excluded.worker_id, term = penstock_leaders.term + 1, beats = 0
    WHERE penstock_leaders.term = :term AND penstock_leaders.beats = :beats
RETURNING term

-- name: keep_lead
UPDATE penstock_leaders SET beats = beats + 1 WHERE name = :name AND worker_id = :worker_id AND term = :term
RETURNING beats

-- name: leave_lead
-- Beats of -1 tell the others that they need not wait for a silence.
UPDATE penstock_leaders SET beats = -1 WHERE name = :name AND worker_id = :worker_id AND term = :term
