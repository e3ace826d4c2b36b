-- name: lock_jobs
SELECT id, state::text, worker_id, claim_id, cancel_requested_at FROM penstock.jobs
WHERE id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid))
ORDER BY id FOR NO KEY UPDATE;

-- name: cancel_waiting
UPDATE penstock.jobs SET
    state = 'cancelled', finished_at = :now, due_at = NULL, reason = :reason, unmet_parent = NULL
WHERE id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid)) AND state IN ('blocked', 'scheduled', 'ready')
RETURNING id, state::text, flow_id, has_children, unique_key, concurrency_key;

-- name: request_cancel
-- A fact beside the state: from here on only the ending of that run is accepted.
UPDATE penstock.jobs SET cancel_requested_at = :now, reason = :reason
WHERE id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid))
  AND state = 'running' AND cancel_requested_at IS NULL
RETURNING id;

-- name: expired
SELECT id FROM penstock.jobs
WHERE deadline_at <= :now AND deadline_at IS NOT NULL AND finished_at IS NULL
  AND state IN ('blocked', 'scheduled', 'ready')
ORDER BY deadline_at LIMIT :limit;

-- name: expire_waiting
UPDATE penstock.jobs SET state = 'failed', finished_at = :now, due_at = NULL, reason = 'its deadline passed while it waited'
WHERE id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid))
  AND state IN ('blocked', 'scheduled', 'ready') AND deadline_at <= :now
RETURNING id, state::text, flow_id, has_children, unique_key, concurrency_key;

-- name: open_jobs_of_flow
SELECT id FROM penstock.jobs WHERE flow_id = :flow_id AND finished_at IS NULL ORDER BY id;

-- name: waiting_job
SELECT j.id, j.state::text, j.priority, j.due_at, j.position, j.created_at, l.queue, q.aging_step, j.reason,
       j.concurrency_key
FROM penstock.jobs j JOIN penstock.lanes l ON l.id = j.lane_id LEFT JOIN penstock.queues q ON q.name = l.queue
WHERE j.id = :job_id FOR NO KEY UPDATE OF j;

-- name: move_waiting
UPDATE penstock.jobs SET
    state = :state::penstock.job_state, priority = :priority, position = :position, due_at = :due, reason = :reason
WHERE id = :job_id AND state IN ('blocked', 'scheduled', 'ready');

-- name: final_jobs_of_flow
SELECT id, state::text, unmet_parent, when_parents, unique_key, reason FROM penstock.jobs
WHERE flow_id = :flow_id AND finished_at IS NOT NULL ORDER BY id FOR NO KEY UPDATE;

-- name: unmet_below
-- The jobs that were cancelled because of these jobs or flows, directly or through other jobs.
WITH RECURSIVE below AS (
    SELECT id FROM penstock.jobs WHERE unmet_parent = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid)) AND state = 'cancelled'
    UNION
    SELECT j.id FROM penstock.jobs j JOIN below b ON j.unmet_parent = b.id WHERE j.state = 'cancelled'
)
SELECT id FROM below;

-- name: revivable
SELECT j.id, j.state::text, j.when_parents, j.unique_key, j.flow_id, j.priority, l.queue, q.aging_step
FROM penstock.jobs j JOIN penstock.lanes l ON l.id = j.lane_id LEFT JOIN penstock.queues q ON q.name = l.queue
WHERE j.id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid)) AND j.finished_at IS NOT NULL
ORDER BY j.id FOR NO KEY UPDATE OF j;

-- name: parents_of
SELECT e.child_id, e.parent_id, j.state::text, f.open, f.total, f.failed, f.cancelled
FROM penstock.edges e
LEFT JOIN penstock.jobs j ON j.id = e.parent_id
LEFT JOIN penstock.flows f ON f.id = e.parent_id
WHERE e.child_id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid));

-- name: revive
UPDATE penstock.jobs j SET
    state = r.state::penstock.job_state, position = r.position, attempt = 0, losses = 0, finished_at = NULL,
    started_at = NULL, claimed_at = NULL, worker_id = NULL, cancel_requested_at = NULL, unmet_parent = NULL,
    due_at = NULL, deadline_at = NULL, reason = NULL,
    open_parents = r.open, completed_parents = r.completed, failed_parents = r.failed
FROM json_to_recordset(:jobs::json) AS r(
    id uuid, state text, position bigint, open integer, completed integer, failed integer)
WHERE j.id = r.id AND j.finished_at IS NOT NULL
RETURNING j.id;

-- name: ended_flows_of
-- The ended flows of these jobs.
SELECT DISTINCT f.id FROM penstock.jobs j JOIN penstock.flows f ON f.id = j.flow_id
WHERE j.id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid)) AND f.finished_at IS NOT NULL;

-- name: lock_blocked_children
SELECT id FROM penstock.jobs
WHERE id IN (SELECT child_id FROM penstock.edges WHERE parent_id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid))) AND state = 'blocked'
ORDER BY id FOR NO KEY UPDATE;

-- name: recount
UPDATE penstock.jobs j SET open_parents = r.open, completed_parents = r.completed, failed_parents = r.failed
FROM json_to_recordset(:jobs::json) AS r(id uuid, open integer, completed integer, failed integer)
WHERE j.id = r.id AND j.state = 'blocked';

-- name: drop_results
DELETE FROM penstock.results WHERE job_id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid));

-- name: reopen_flows
-- A new round: what was counted as ended is open again.
UPDATE penstock.flows f SET
    open = f.open + r.completed + r.failed + r.cancelled, completed = f.completed - r.completed,
    failed = f.failed - r.failed, cancelled = f.cancelled - r.cancelled,
    round = f.round + 1, finished_at = NULL
FROM json_to_recordset(:flows::json) AS r(id uuid, completed integer, failed integer, cancelled integer)
WHERE f.id = r.id;

-- name: lock_flow
SELECT id, finished_at FROM penstock.flows WHERE id = :flow_id FOR NO KEY UPDATE;

-- name: pause_queue
INSERT INTO penstock.queues (name, paused_at) VALUES (:queue, :now)
ON CONFLICT (name) DO UPDATE SET paused_at = coalesce(penstock.queues.paused_at, excluded.paused_at);

-- name: resume_queue
UPDATE penstock.queues SET paused_at = NULL WHERE name = :queue AND paused_at IS NOT NULL RETURNING name;

-- name: put_queue
INSERT INTO penstock.queues (name, rate_limit, rate_period, total_concurrency, aging_step, max_length, unknown_kinds, retention)
VALUES (:queue, :rate_limit, :rate_period, :total_concurrency, :aging_step, :max_length, :unknown_kinds, :retention::json)
ON CONFLICT (name) DO UPDATE SET
    rate_limit = excluded.rate_limit, rate_period = excluded.rate_period,
    total_concurrency = excluded.total_concurrency, aging_step = excluded.aging_step,
    max_length = excluded.max_length, unknown_kinds = excluded.unknown_kinds, retention = excluded.retention;
