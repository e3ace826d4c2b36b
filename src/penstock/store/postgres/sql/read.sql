-- name: get_job
SELECT j.id, l.queue, l.kind, l.tenant, j.state::text, j.priority, j.attempt, j.max_attempts, j.losses, j.created_at,
       j.due_at, j.claimed_at, j.started_at, j.finished_at, j.cancel_requested_at, j.deadline_at, j.flow_id, j.reason,
       j.unique_key, j.concurrency_key, j.open_parents, j.when_parents, j.worker_id, l.seal_key, l.solo,
       p.share, p.message, j.options, j.concurrency_limit
FROM penstock.jobs j JOIN penstock.lanes l ON l.id = j.lane_id LEFT JOIN penstock.progress p ON p.job_id = j.id
WHERE j.id = :job_id;

-- name: list_jobs
SELECT j.id, l.queue, l.kind, l.tenant, j.state::text, j.priority, j.attempt, j.max_attempts, j.losses, j.created_at,
       j.due_at, j.claimed_at, j.started_at, j.finished_at, j.cancel_requested_at, j.deadline_at, j.flow_id, j.reason,
       j.unique_key, j.concurrency_key, j.open_parents, j.when_parents, j.worker_id, l.seal_key, l.solo,
       p.share, p.message, j.options, j.concurrency_limit
FROM penstock.jobs j JOIN penstock.lanes l ON l.id = j.lane_id LEFT JOIN penstock.progress p ON p.job_id = j.id
WHERE (:states::json IS NULL OR j.state::text IN (SELECT json_array_elements_text(:states::json)))
  AND (:queue::text IS NULL OR l.queue = :queue)
  AND (:kind::text IS NULL OR l.kind = :kind)
  AND (:tenant::text IS NULL OR l.tenant = :tenant)
  AND (:flow_id::uuid IS NULL OR j.flow_id = :flow_id::uuid)
  AND (:tag::text IS NULL OR (j.options -> 'tags')::jsonb ? :tag)
  AND (:since::bigint IS NULL OR j.created_at >= :since)
  AND (:until::bigint IS NULL OR j.created_at < :until)
  AND (:before::uuid IS NULL OR j.id < :before::uuid)
ORDER BY j.id DESC LIMIT :limit;

-- name: job_ids_like
SELECT id FROM penstock.jobs WHERE id >= :low::uuid AND id <= :high::uuid ORDER BY id LIMIT 3;

-- name: flow_ids_like
SELECT id FROM penstock.flows WHERE id >= :low::uuid AND id <= :high::uuid ORDER BY id LIMIT 3;

-- name: job_payload
SELECT j.data, r.result FROM penstock.jobs j LEFT JOIN penstock.results r ON r.job_id = j.id WHERE j.id = :job_id;

-- name: job_outcome
SELECT j.state::text, j.reason, r.result, p.share, p.message
FROM penstock.jobs j LEFT JOIN penstock.results r ON r.job_id = j.id LEFT JOIN penstock.progress p ON p.job_id = j.id
WHERE j.id = :job_id;

-- name: job_errors
SELECT attempt, error_class, message, traceback, worker, started_at, at FROM penstock.errors
WHERE job_id = :job_id ORDER BY id;

-- name: open_parents_of
SELECT e.parent_id, coalesce(j.state::text, 'running'),
       coalesce(l.kind, f.name)
FROM penstock.edges e
LEFT JOIN penstock.jobs j ON j.id = e.parent_id
LEFT JOIN penstock.lanes l ON l.id = j.lane_id
LEFT JOIN penstock.flows f ON f.id = e.parent_id
WHERE e.child_id = :job_id
  AND (j.id IS NOT NULL AND j.finished_at IS NULL OR f.id IS NOT NULL AND f.finished_at IS NULL)
LIMIT 20;

-- name: parent_results
SELECT e.parent_id, r.result FROM penstock.edges e
LEFT JOIN penstock.results r ON r.job_id = e.parent_id
WHERE e.child_id = :job_id ORDER BY e.parent_id;

-- name: jobs_ahead
-- How many of the same lane are claimed before it; counted to a bound.
SELECT count(*) FROM (
    SELECT 1 FROM penstock.jobs a JOIN penstock.jobs j ON j.id = :job_id
    WHERE a.lane_id = j.lane_id AND a.state = 'ready' AND a.position < j.position LIMIT 10000) ahead;

-- name: count_jobs
SELECT l.queue, j.state::text, count(*) FROM penstock.jobs j JOIN penstock.lanes l ON l.id = j.lane_id
GROUP BY 1, 2;

-- name: open_counts
-- Live work only: the two partial indexes and the blocked rows, not the history.
SELECT l.queue, j.state::text, count(*), min(j.position) FROM penstock.jobs j JOIN penstock.lanes l ON l.id = j.lane_id
WHERE j.finished_at IS NULL GROUP BY 1, 2;

-- name: ended_since
SELECT l.queue, j.state::text, count(*) FROM penstock.jobs j JOIN penstock.lanes l ON l.id = j.lane_id
WHERE j.finished_at IS NOT NULL AND j.finished_at >= :since GROUP BY 1, 2;

-- name: job_summary
-- The history as well: for people who ask now and then.
SELECT l.queue, j.state::text, count(*), avg(j.finished_at - j.started_at)::float8,
       min(coalesce(j.started_at, j.claimed_at))
FROM penstock.jobs j JOIN penstock.lanes l ON l.id = j.lane_id
WHERE :since::bigint IS NULL OR j.created_at >= :since GROUP BY 1, 2;

-- name: list_queues
SELECT name, paused_at, rate_limit, rate_period, total_concurrency, aging_step, max_length, unknown_kinds, retention,
       rate_starts
FROM penstock.queues ORDER BY name;

-- name: list_workers
SELECT w.id, w.name, w.host, w.pid, w.build_id, w.queues, w.kinds, w.started_at, w.seen_at, w.beats, w.stopping, w.stats,
       (SELECT count(*) FROM penstock.jobs j WHERE j.worker_id = w.id AND j.state = 'running'), w.steps
FROM penstock.workers w ORDER BY w.id;

-- name: get_flow
SELECT id, name, tenant, round, total, open, completed, failed, cancelled, created_at, finished_at
FROM penstock.flows WHERE id = :flow_id;

-- name: list_flows
SELECT id, name, tenant, round, total, open, completed, failed, cancelled, created_at, finished_at
FROM penstock.flows
WHERE (:name::text IS NULL OR name = :name) AND (:tenant::text IS NULL OR tenant = :tenant)
  AND (:open::boolean IS NULL OR (finished_at IS NULL) = :open)
  AND (:before::uuid IS NULL OR id < :before::uuid)
ORDER BY id DESC LIMIT :limit;

-- name: flow_jobs
SELECT j.id, l.kind, l.queue, j.state::text, j.attempt, j.max_attempts, j.started_at, j.finished_at, j.reason, p.share, p.message
FROM penstock.jobs j JOIN penstock.lanes l ON l.id = j.lane_id LEFT JOIN penstock.progress p ON p.job_id = j.id
WHERE j.flow_id = :flow_id ORDER BY j.id LIMIT :limit;

-- name: flow_edges
SELECT e.parent_id, e.child_id FROM penstock.edges e JOIN penstock.jobs j ON j.id = e.child_id
WHERE j.flow_id = :flow_id ORDER BY 1, 2 LIMIT :limit;

-- name: list_kinds
SELECT DISTINCT l.queue, l.kind FROM penstock.lanes l
WHERE EXISTS (SELECT FROM penstock.jobs j WHERE j.lane_id = l.id AND j.state = 'ready') ORDER BY 1, 2;

-- name: database_now
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

-- name: schema_state
SELECT key, value FROM penstock.meta;
