-- name: claim
-- With one lane its first rows by index are the batch. With several, each gives its first rows, and a window shares the
-- batch out over lanes (priority, then a turn for each tenant, then age). There is one writer, so nothing is locked, and
-- deleted index entries are gone at once, so the position hint of PostgreSQL is not needed. What all jobs of a lane share
-- is told only of lanes that are not `known`; as text, which is what the appended '' makes of it, like PostgreSQL's.
UPDATE penstock_jobs SET
    state = 'running', claim_id = :claim_id, worker_id = :worker_id, claimed_at = :now, started_at = NULL
WHERE rowid IN (
    WITH wanted AS MATERIALIZED (
        SELECT l.id, l.tenant, q.aging_step, coalesce(json_extract(a.value, '$.turns'), 0) AS ahead
        FROM penstock_lanes l LEFT JOIN penstock_queues q ON q.name = l.queue
        LEFT JOIN json_each(:ahead) a ON json_extract(a.value, '$.tenant') IS l.tenant
        WHERE l.queue = :queue AND l.solo = :solo AND q.paused_at IS NULL
          AND (:any_kind OR l.kind IN (SELECT value FROM json_each(:kinds)))
          AND (l.seal_key IS NULL OR l.seal_key IN (SELECT value FROM json_each(:seal_keys)))
          AND NOT EXISTS (
              SELECT 1 FROM json_each(:held) h WHERE json_extract(h.value, '$.kind') = l.kind
                 AND (json_extract(h.value, '$.whole') OR json_extract(h.value, '$.tenant') IS l.tenant)))
    SELECT place FROM (
        SELECT rowid AS place FROM penstock_jobs
        WHERE lane_id = (SELECT id FROM wanted) AND state = 'ready' AND (SELECT count(*) FROM wanted) = 1
        ORDER BY position LIMIT :limit)
    UNION ALL
    SELECT place FROM (
        SELECT j.rowid AS place, j.position,
               CASE WHEN w.aging_step IS NULL THEN -j.priority ELSE 0 END AS band,
               w.ahead + row_number() OVER (
                   PARTITION BY w.tenant, CASE WHEN w.aging_step IS NULL THEN j.priority ELSE 0 END
                   ORDER BY j.position) AS turn
        FROM wanted w CROSS JOIN penstock_jobs j
        WHERE (SELECT count(*) FROM wanted) > 1 AND j.rowid IN (
            SELECT k.rowid FROM penstock_jobs k
            WHERE k.lane_id = w.id AND k.state = 'ready' ORDER BY k.position LIMIT :limit)
        ORDER BY band, turn, position LIMIT :limit))
;;
-- packed
-- Small jobs in one row, a large one in a row of its own: no row may be longer than SQLite's longest text.
SELECT json_group_array(json_array(
    j.id, j.lane_id, j.position, j.priority, j.attempt, j.losses,
    j.max_attempts, j.created_at, j.deadline_at, j.flow_id,
    j.flow_id IS NOT NULL OR j.has_children OR j.unique_key IS NOT NULL OR j.concurrency_key IS NOT NULL,
    j.concurrency_key, j.concurrency_limit, d.data, d.options,
    (SELECT aging_step FROM penstock_queues WHERE name = :queue),
    CASE WHEN j.lane_id NOT IN (SELECT value FROM json_each(:known)) THEN (
        SELECT json_array(kind, tenant) FROM penstock_lanes WHERE id = j.lane_id) || '' END))
FROM penstock_jobs j
CROSS JOIN penstock_job_data d ON d.job_id = j.id
WHERE j.state = 'running' AND j.worker_id = :worker_id AND j.claim_id = :claim_id
GROUP BY CASE WHEN length(d.data) <= 4096 THEN 0 ELSE j.rowid END

-- name: fall_due
UPDATE penstock_jobs SET
    state = 'ready',
    position = due_at - priority * coalesce(
        (SELECT q.aging_step FROM penstock_lanes l JOIN penstock_queues q ON q.name = l.queue
         WHERE l.id = penstock_jobs.lane_id), :strict_step),
    due_at = NULL, reason = NULL
WHERE rowid IN (
    SELECT rowid FROM penstock_jobs WHERE state = 'scheduled' AND due_at <= :now ORDER BY due_at LIMIT :limit)
RETURNING (SELECT queue FROM penstock_lanes WHERE id = lane_id)

-- name: next_due
SELECT due_at FROM penstock_jobs WHERE state = 'scheduled' AND due_at IS NOT NULL ORDER BY due_at LIMIT 1

-- name: solo_waiting
SELECT 1 FROM penstock_lanes l CROSS JOIN penstock_jobs j ON j.lane_id = l.id AND j.state = 'ready'
WHERE l.queue = :queue AND l.solo LIMIT 1

-- name: lock_queue
SELECT rate_starts, total_concurrency, rate_limit, rate_period FROM penstock_queues WHERE name = :queue

-- name: spend_rate
UPDATE penstock_queues SET rate_starts = :starts WHERE name = :queue

-- name: running_in_queue
SELECT count(*) FROM penstock_jobs j JOIN penstock_lanes l ON l.id = j.lane_id
WHERE j.state = 'running' AND l.queue = :queue

-- name: lock_concurrency_keys
-- The one writer is the lock.
SELECT value FROM json_each(:keys)

-- name: make_concurrency_keys
-- Nothing to make: the one writer is the lock.
SELECT 0

-- name: running_by_key
SELECT concurrency_key, count(*) FROM penstock_jobs
WHERE concurrency_key IN (SELECT value FROM json_each(:keys)) AND state = 'running'
GROUP BY concurrency_key

-- name: park
-- A scheduled job without a due time is parked. One whose cancel was requested since its claim is to end instead.
UPDATE penstock_jobs SET
    state = 'scheduled', claim_id = NULL, worker_id = NULL, claimed_at = NULL, due_at = NULL, reason = 'concurrency'
WHERE id IN (SELECT value FROM json_each(:ids)) AND claim_id = :claim_id AND cancel_requested_at IS NULL
RETURNING id

-- name: unpark
UPDATE penstock_jobs SET state = 'ready', reason = NULL
WHERE id IN (
    SELECT id FROM (
        SELECT p.id, p.concurrency_limit,
               row_number() OVER (PARTITION BY p.concurrency_key ORDER BY p.position) AS turn,
               (SELECT count(*) FROM penstock_jobs r
                WHERE r.concurrency_key = p.concurrency_key AND r.state = 'running') AS running
        FROM json_each(:keys) k
        CROSS JOIN penstock_jobs p ON p.rowid IN (
            SELECT o.rowid FROM penstock_jobs o
            WHERE o.concurrency_key = k.value AND o.state = 'scheduled' AND o.due_at IS NULL
            ORDER BY o.position LIMIT 100))
    WHERE running + turn <= concurrency_limit)
RETURNING (SELECT queue FROM penstock_lanes WHERE id = lane_id)

-- name: parked_keys
SELECT DISTINCT concurrency_key FROM penstock_jobs
WHERE concurrency_key IS NOT NULL AND state = 'scheduled' AND due_at IS NULL LIMIT 1000
