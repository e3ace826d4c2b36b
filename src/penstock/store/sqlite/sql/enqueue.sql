-- name: ensure_lanes
INSERT INTO penstock_lanes (queue, kind, tenant, seal_key, solo)
SELECT json_extract(value, '$.queue'), json_extract(value, '$.kind'), json_extract(value, '$.tenant'),
       json_extract(value, '$.seal_key'), json_extract(value, '$.solo')
FROM json_each(:lanes) WHERE true
ON CONFLICT DO NOTHING
;;
SELECT l.queue, l.kind, l.tenant, l.seal_key, l.solo, l.id, q.aging_step, q.max_length
FROM json_each(:lanes) a
CROSS JOIN penstock_lanes l
    ON l.queue = json_extract(a.value, '$.queue') AND l.kind = json_extract(a.value, '$.kind')
   AND coalesce(l.tenant, '') = coalesce(json_extract(a.value, '$.tenant'), '')
   AND coalesce(l.seal_key, '') = coalesce(json_extract(a.value, '$.seal_key'), '')
   AND l.solo = json_extract(a.value, '$.solo')
LEFT JOIN penstock_queues q ON q.name = l.queue

-- name: insert_jobs
-- The data first: a job that exists already has its data, and keeps it.
INSERT INTO penstock_job_data (job_id, data, options)
SELECT json_extract(value, '$.id'), json_extract(value, '$.data'), json_extract(value, '$.options')
FROM json_each(:jobs) WHERE true
ON CONFLICT (job_id) DO NOTHING
;;
INSERT INTO penstock_jobs (
    id, lane_id, state, priority, max_attempts, position, created_at, due_at, deadline_at,
    open_parents, completed_parents, failed_parents, when_parents, has_children, flow_id,
    concurrency_limit, concurrency_key, unique_key, reason)
SELECT
    json_extract(value, '$.id'), json_extract(value, '$.lane'), json_extract(value, '$.state'),
    coalesce(json_extract(value, '$.priority'), 0), json_extract(value, '$.attempts'),
    json_extract(value, '$.position'), :now, json_extract(value, '$.due'), json_extract(value, '$.deadline'),
    coalesce(json_extract(value, '$.open'), 0), coalesce(json_extract(value, '$.completed'), 0),
    coalesce(json_extract(value, '$.failed'), 0), json_extract(value, '$.condition'),
    coalesce(json_extract(value, '$.children'), 0), json_extract(value, '$.flow'), json_extract(value, '$.climit'),
    json_extract(value, '$.ckey'), json_extract(value, '$.ukey'), json_extract(value, '$.reason')
FROM json_each(:jobs) WHERE true
ON CONFLICT (id) DO NOTHING
RETURNING id

-- name: insert_one
INSERT INTO penstock_job_data (job_id, data, options) VALUES (:id, :data, :options)
;;
INSERT INTO penstock_jobs (id, lane_id, state, priority, max_attempts, position, created_at)
VALUES (:id, :lane, 'ready', :priority, :attempts, :position, :now)

-- name: insert_alike
INSERT INTO penstock_job_data (job_id, data, options) SELECT key, value, :options FROM json_each(:jobs)
;;
INSERT INTO penstock_jobs (
    id, lane_id, state, priority, max_attempts, position, created_at, due_at, deadline_at,
    concurrency_limit, concurrency_key, reason)
SELECT value, :lane, :state, :priority, :attempts, :position + key, :now, :due + key, :deadline, :climit, :ckey, :reason
FROM json_each(:ids)

-- name: insert_flows
INSERT INTO penstock_flows (id, name, tenant, created_at)
SELECT json_extract(value, '$.id'), json_extract(value, '$.name'), json_extract(value, '$.tenant'), :now
FROM json_each(:flows) WHERE true
ON CONFLICT (id) DO NOTHING

-- name: insert_edges
INSERT INTO penstock_edges (parent_id, child_id)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:edges) WHERE true
ON CONFLICT DO NOTHING

-- name: lock_parents
-- The one writer is the lock.
SELECT id, state, flow_id FROM penstock_jobs WHERE id IN (SELECT value FROM json_each(:ids)) ORDER BY id

-- name: lock_parent_flows
SELECT id, open, total, failed, cancelled, finished_at FROM penstock_flows
WHERE id IN (SELECT value FROM json_each(:ids)) ORDER BY id

-- name: mark_parents
UPDATE penstock_jobs SET has_children = 1 WHERE id IN (SELECT value FROM json_each(:ids)) AND NOT has_children

-- name: mark_parent_flows
UPDATE penstock_flows SET has_children = 1 WHERE id IN (SELECT value FROM json_each(:ids)) AND NOT has_children

-- name: add_to_flows
UPDATE penstock_flows AS f SET
    total = f.total + a.n, open = f.open + a.n
FROM (SELECT json_extract(value, '$.id') AS id, json_extract(value, '$.n') AS n FROM json_each(:flows)) AS a
WHERE f.id = a.id AND f.finished_at IS NULL
RETURNING id

-- name: bound_wait
-- Nothing to wait for: one writer at a time.
SELECT '0', '0'

-- name: unbound_wait
SELECT :before

-- name: take_unique
INSERT INTO penstock_unique_keys AS u (key, job_id, scope, expires_at)
SELECT json_extract(value, '$.key'), json_extract(value, '$.job'), json_extract(value, '$.scope'),
       json_extract(value, '$.expires')
FROM json_each(:keys) WHERE true
ON CONFLICT (key) DO UPDATE
    SET job_id = excluded.job_id, scope = excluded.scope, expires_at = excluded.expires_at
    WHERE u.expires_at <= :now
RETURNING key

-- name: read_unique
SELECT key, job_id FROM penstock_unique_keys WHERE key IN (SELECT value FROM json_each(:keys))

-- name: return_unique
-- Keys that were taken a moment ago, in this transaction: whatever their scope.
DELETE FROM penstock_unique_keys
WHERE (key, job_id) IN (SELECT json_extract(value, '$.key'), json_extract(value, '$.job') FROM json_each(:keys))

-- name: replace_waiting
-- Debounce: the holder takes the new data and time, unless it already runs or has ended, or is of another kind. One
-- that waits for other jobs, or is parked, goes on waiting for that. Its place is by the rules of its own queue.
UPDATE penstock_job_data AS d SET data = r.data
FROM (SELECT json_extract(value, '$.id') AS id, json_extract(value, '$.data') AS data,
             json_extract(value, '$.lane') AS lane
      FROM json_each(:jobs)) AS r
WHERE d.job_id = r.id AND EXISTS (
    SELECT 1 FROM penstock_jobs j
    JOIN penstock_lanes mine ON mine.id = r.lane JOIN penstock_lanes theirs ON theirs.id = j.lane_id
    WHERE j.id = r.id AND theirs.kind = mine.kind AND j.state IN ('blocked', 'scheduled', 'ready'))
;;
UPDATE penstock_jobs AS j SET
    priority = coalesce(r.priority, 0),
    position = coalesce(r.due, :now) - coalesce(r.priority, 0) * coalesce(q.aging_step, :strict_step),
    due_at = CASE WHEN j.state = 'scheduled' AND j.due_at IS NULL THEN NULL ELSE r.due END,
    reason = CASE WHEN j.state = 'blocked' OR (j.state = 'scheduled' AND j.due_at IS NULL) THEN j.reason ELSE r.reason END,
    state = CASE WHEN j.state = 'blocked' OR (j.state = 'scheduled' AND j.due_at IS NULL) THEN j.state ELSE r.state END
FROM (SELECT json_extract(value, '$.id') AS id, json_extract(value, '$.priority') AS priority,
             json_extract(value, '$.due') AS due, json_extract(value, '$.reason') AS reason,
             json_extract(value, '$.state') AS state, json_extract(value, '$.lane') AS lane
      FROM json_each(:jobs)) AS r
    JOIN penstock_lanes mine ON mine.id = r.lane
    JOIN penstock_lanes theirs ON theirs.kind = mine.kind
    LEFT JOIN penstock_queues q ON q.name = theirs.queue
WHERE j.id = r.id AND j.lane_id = theirs.id AND j.state IN ('blocked', 'scheduled', 'ready')
RETURNING id, state, concurrency_key

-- name: queue_length
SELECT count(*) FROM (
    SELECT 1 FROM penstock_lanes l CROSS JOIN penstock_jobs j ON j.lane_id = l.id AND j.state = 'ready'
    WHERE l.queue = :queue LIMIT :limit)

-- name: hold_claim
SELECT id FROM penstock_jobs
WHERE id = :job_id AND claim_id = :claim_id AND state = 'running' AND cancel_requested_at IS NULL
