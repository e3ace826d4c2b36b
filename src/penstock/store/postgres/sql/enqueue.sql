-- name: ensure_lanes
WITH asked AS MATERIALIZED (
    SELECT DISTINCT queue, kind, tenant, seal_key, solo
    FROM json_to_recordset(:lanes::json) AS a(queue text, kind text, tenant text, seal_key text, solo boolean)
), made AS (
    INSERT INTO penstock.lanes (queue, kind, tenant, seal_key, solo)
    SELECT queue, kind, tenant, seal_key, solo FROM asked a
    WHERE NOT EXISTS (
        SELECT FROM penstock.lanes l
        WHERE l.queue = a.queue AND l.kind = a.kind AND coalesce(l.tenant, '') = coalesce(a.tenant, '')
          AND coalesce(l.seal_key, '') = coalesce(a.seal_key, '') AND l.solo = a.solo)
    ORDER BY queue, kind, tenant, seal_key, solo
    -- DO UPDATE, not DO NOTHING: it must answer the row also when another producer has just made it.
    ON CONFLICT (queue, kind, coalesce(tenant, ''), coalesce(seal_key, ''), solo) DO UPDATE SET queue = excluded.queue
    RETURNING queue, kind, tenant, seal_key, solo, id
), both_ways AS (
    SELECT * FROM made
    UNION ALL
    SELECT l.queue, l.kind, l.tenant, l.seal_key, l.solo, l.id
    FROM asked a JOIN penstock.lanes l
      ON l.queue = a.queue AND l.kind = a.kind AND coalesce(l.tenant, '') = coalesce(a.tenant, '')
     AND coalesce(l.seal_key, '') = coalesce(a.seal_key, '') AND l.solo = a.solo
)
SELECT b.queue, b.kind, b.tenant, b.seal_key, b.solo, b.id, q.aging_step, q.max_length
FROM both_ways b LEFT JOIN penstock.queues q ON q.name = b.queue;

-- name: insert_jobs
INSERT INTO penstock.jobs (
    id, lane_id, state, priority, max_attempts, position, created_at, due_at, deadline_at,
    open_parents, completed_parents, failed_parents, when_parents, has_children, flow_id,
    concurrency_limit, concurrency_key, unique_key, reason, data, options)
SELECT
    j.id, j.lane, j.state::penstock.job_state, coalesce(j.priority, 0), j.attempts, j.position, :now, j.due, j.deadline,
    coalesce(j.open, 0), coalesce(j.completed, 0), coalesce(j.failed, 0), j.condition,
    coalesce(j.children, false), j.flow, j.climit, j.ckey, j.ukey, j.reason, j.data, j.options
FROM json_to_recordset(:jobs::json) AS j(
    id uuid, lane integer, state text, priority smallint, attempts smallint, position bigint, due bigint,
    deadline bigint, open integer, completed integer, failed integer, condition text,
    children boolean, flow uuid, climit smallint, ckey text, ukey text, reason text,
    data json, options json)
ON CONFLICT (id) DO NOTHING
RETURNING id;

-- name: insert_one
-- The most frequent of all enqueues: half as dear as one row of `insert_alike`.
INSERT INTO penstock.jobs (id, lane_id, state, priority, max_attempts, position, created_at, data, options)
VALUES (:id::uuid, :lane::integer, 'ready', :priority::smallint, :attempts::smallint, :position, :now, :data, :options);

-- name: insert_alike
-- Fresh ids meet no conflict, and looking out for one makes an insert a third dearer (it writes each row twice).
INSERT INTO penstock.jobs (
    id, lane_id, state, priority, max_attempts, position, created_at, due_at, deadline_at,
    concurrency_limit, concurrency_key, reason, data, options)
SELECT
    j.id, :lane::integer, :state::penstock.job_state, :priority::smallint, :attempts::smallint,
    :position::bigint + j.n - 1, :now::bigint, :due::bigint + j.n - 1, :deadline::bigint,
    :climit::smallint, :ckey, :reason, j.data, :options::json
FROM unnest(:jobs.ids::uuid[], :jobs.data::json[]) WITH ORDINALITY AS j(id, data, n);

-- name: insert_flows
INSERT INTO penstock.flows (id, name, tenant, created_at)
SELECT id, name, tenant, :now FROM json_to_recordset(:flows::json) AS f(id uuid, name text, tenant text)
ON CONFLICT (id) DO NOTHING;

-- name: insert_edges
INSERT INTO penstock.edges (parent_id, child_id)
SELECT parent, child FROM unnest(:edges.parent::uuid[], :edges.child::uuid[]) AS e(parent, child)
ON CONFLICT DO NOTHING;

-- name: lock_parents
-- The lock holds back a parent's ending until this enqueue has committed; that ending then sees has_children.
SELECT id, state::text, flow_id FROM penstock.jobs
WHERE id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid))
ORDER BY id FOR NO KEY UPDATE;

-- name: lock_parent_flows
SELECT id, open, total, failed, cancelled, finished_at FROM penstock.flows
WHERE id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid))
ORDER BY id FOR NO KEY UPDATE;

-- name: mark_parents
UPDATE penstock.jobs SET has_children = true
WHERE id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid)) AND NOT has_children;

-- name: mark_parent_flows
UPDATE penstock.flows SET has_children = true
WHERE id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid)) AND NOT has_children;

-- name: add_to_flows
UPDATE penstock.flows f SET
    total = f.total + a.n, open = f.open + a.n
FROM json_to_recordset(:flows::json) AS a(id uuid, n integer)
WHERE f.id = a.id AND f.finished_at IS NULL
RETURNING f.id;

-- name: bound_wait
-- A key that another open transaction has just taken is waited for, but not for ever.
SELECT current_setting('lock_timeout'), set_config('lock_timeout', '5s', true);

-- name: unbound_wait
SELECT set_config('lock_timeout', :before, true);

-- name: take_unique
-- In key order, so that two producers with the same keys wait for each other instead of deadlocking.
INSERT INTO penstock.unique_keys AS u (key, job_id, scope, expires_at)
SELECT key, job, scope, expires
FROM json_to_recordset(:keys::json) AS k(key text, job uuid, scope text, expires bigint)
ORDER BY key
ON CONFLICT (key) DO UPDATE
    SET job_id = excluded.job_id, scope = excluded.scope, expires_at = excluded.expires_at
    WHERE u.expires_at <= :now
RETURNING key;

-- name: read_unique
SELECT key, job_id FROM penstock.unique_keys
WHERE key = ANY (ARRAY(SELECT json_array_elements_text(:keys::json)));

-- name: return_unique
-- Keys that were taken a moment ago, in this transaction: whatever their scope.
DELETE FROM penstock.unique_keys u
USING json_to_recordset(:keys::json) AS k(key text, job uuid)
WHERE u.key = k.key AND u.job_id = k.job;

-- name: replace_waiting
-- Debounce: the holder takes the new data and time, unless it already runs or has ended, or is of another kind. One
-- that waits for other jobs, or is parked, goes on waiting for that. Its place is by the rules of its own queue.
UPDATE penstock.jobs j SET
    data = r.data, priority = coalesce(r.priority, 0),
    position = coalesce(r.due, :now) - coalesce(r.priority, 0) * coalesce(q.aging_step, :strict_step),
    due_at = CASE WHEN j.state = 'scheduled' AND j.due_at IS NULL THEN NULL ELSE r.due END,
    reason = CASE WHEN j.state = 'blocked' OR (j.state = 'scheduled' AND j.due_at IS NULL) THEN j.reason ELSE r.reason END,
    state = CASE WHEN j.state = 'blocked' OR (j.state = 'scheduled' AND j.due_at IS NULL) THEN j.state
                 ELSE r.state::penstock.job_state END
FROM json_to_recordset(:jobs::json) AS r(
        id uuid, data json, priority smallint, due bigint, reason text, state text, lane integer)
    JOIN penstock.lanes mine ON mine.id = r.lane
    JOIN penstock.lanes theirs ON theirs.kind = mine.kind
    LEFT JOIN penstock.queues q ON q.name = theirs.queue
WHERE j.id = r.id AND j.lane_id = theirs.id AND j.state IN ('blocked', 'scheduled', 'ready')
RETURNING j.id, j.state::text, j.concurrency_key;

-- name: queue_length
-- Never counts past the limit. Exact, because producers take turns on the queue's row (`lock_queue`) before it.
SELECT count(*) FROM (
    SELECT 1 FROM penstock.lanes l
    CROSS JOIN LATERAL (
        SELECT 1 FROM penstock.jobs j WHERE j.lane_id = l.id AND j.state = 'ready' LIMIT :limit) one
    WHERE l.queue = :queue
    LIMIT :limit) counted;

-- name: hold_claim
-- The fence of everything a run writes: the row is locked, so nobody can end the claim before this commits.
SELECT id FROM penstock.jobs
WHERE id = :job_id AND claim_id = :claim_id AND state = 'running' AND cancel_requested_at IS NULL
FOR NO KEY UPDATE;
