-- name: complete_plain
-- The short way of `settle`, for completed runs that nobody has asked to cancel, of jobs that nothing is tied to. Answers
-- what it left: mostly nothing, so that no row travels. What another run ended in the same microsecond counts as ended.
INSERT INTO penstock_results (job_id, result)
SELECT j.id, json_extract(r.value, '$.result')
FROM json_each(:results) r CROSS JOIN penstock_jobs j ON j.id = json_extract(r.value, '$.id')
WHERE j.claim_id = json_extract(r.value, '$.claim') AND j.state = 'running' AND j.cancel_requested_at IS NULL
  AND j.flow_id IS NULL AND NOT j.has_children AND j.unique_key IS NULL AND j.concurrency_key IS NULL
ON CONFLICT (job_id) DO UPDATE SET result = excluded.result
;;
UPDATE penstock_jobs AS j SET
    state = 'completed', finished_at = :now, claim_id = NULL, attempt = r.attempt,
    started_at = coalesce(r.started, j.started_at), reason = NULL
FROM (
    SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS claim,
           json_extract(value, '$[2]') AS attempt, json_extract(value, '$[3]') AS started
    FROM json_each(:rows)) AS r
WHERE j.id = r.id AND j.claim_id = r.claim AND j.state = 'running' AND j.cancel_requested_at IS NULL
  AND j.flow_id IS NULL AND NOT j.has_children AND j.unique_key IS NULL AND j.concurrency_key IS NULL
;;
SELECT json_extract(r.value, '$[0]') FROM json_each(:rows) r
WHERE changes() < :count AND NOT EXISTS (
    SELECT 1 FROM penstock_jobs j
    WHERE j.id = json_extract(r.value, '$[0]') AND j.state = 'completed' AND j.finished_at = :now)

-- name: complete
-- As `complete_plain`, whatever is tied to the jobs; answers the ids of what it ended, together where the same follows.
-- Looked at first and then ended, by the one writer: that both see the same rows, and a row that RETURNING hands over
-- costs a turn of the interpreter.
INSERT INTO penstock_results (job_id, result)
SELECT j.id, json_extract(r.value, '$.result')
FROM json_each(:results) r CROSS JOIN penstock_jobs j ON j.id = json_extract(r.value, '$.id')
WHERE j.claim_id = json_extract(r.value, '$.claim') AND j.state = 'running' AND j.cancel_requested_at IS NULL
ON CONFLICT (job_id) DO UPDATE SET result = excluded.result
;;
-- packed
SELECT json_group_array(json_array(ids, flow_id, has_children, unique_key, concurrency_key)) FROM (
    SELECT CAST(json_group_array(j.id) AS text) AS ids, j.flow_id, j.has_children, j.unique_key, j.concurrency_key
    FROM json_each(:rows) r CROSS JOIN penstock_jobs j ON j.id = json_extract(r.value, '$[0]')
    WHERE j.claim_id = json_extract(r.value, '$[1]') AND j.state = 'running' AND j.cancel_requested_at IS NULL
    GROUP BY 2, 3, 4, 5)
;;
UPDATE penstock_jobs AS j SET
    state = 'completed', finished_at = :now, claim_id = NULL, attempt = r.attempt,
    started_at = coalesce(r.started, j.started_at), reason = NULL
FROM (
    SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS claim,
           json_extract(value, '$[2]') AS attempt, json_extract(value, '$[3]') AS started
    FROM json_each(:rows)) AS r
WHERE j.id = r.id AND j.claim_id = r.claim AND j.state = 'running' AND j.cancel_requested_at IS NULL

-- name: settle
-- The one statement that ends runs: fenced by claim, whatever the outcome. Of a run whose cancel was requested only
-- the ending is taken, and it is `cancelled`; its result is dropped. Results go first, under the same fence.
INSERT INTO penstock_results (job_id, result)
SELECT j.id, json_extract(r.value, '$.result')
FROM json_each(:results) r CROSS JOIN penstock_jobs j ON j.id = json_extract(r.value, '$.id')
WHERE j.claim_id = json_extract(r.value, '$.claim') AND j.state = 'running' AND j.cancel_requested_at IS NULL
ON CONFLICT (job_id) DO UPDATE SET result = excluded.result
;;
UPDATE penstock_jobs AS j SET
    state = CASE WHEN j.cancel_requested_at IS NULL THEN r.state ELSE 'cancelled' END,
    finished_at = CASE WHEN j.cancel_requested_at IS NOT NULL OR r.state IN ('completed', 'failed', 'cancelled')
                       THEN :now END,
    claim_id = NULL,
    attempt = r.attempt,
    losses = coalesce(r.losses, j.losses),
    position = coalesce(r.position, j.position),
    due_at = CASE WHEN j.cancel_requested_at IS NULL THEN r.due END,
    lane_id = coalesce(r.lane, j.lane_id),
    started_at = coalesce(r.started, j.started_at),
    reason = CASE WHEN j.cancel_requested_at IS NULL THEN r.reason ELSE j.reason END
FROM (
    SELECT json_extract(value, '$.id') AS id, json_extract(value, '$.claim') AS claim,
           json_extract(value, '$.state') AS state, json_extract(value, '$.attempt') AS attempt,
           json_extract(value, '$.losses') AS losses, json_extract(value, '$.position') AS position,
           json_extract(value, '$.due') AS due, json_extract(value, '$.lane') AS lane,
           json_extract(value, '$.started') AS started, json_extract(value, '$.reason') AS reason
    FROM json_each(:rows)) AS r
WHERE j.id = r.id AND j.claim_id = r.claim AND j.state = 'running'
RETURNING id, state, flow_id, has_children, unique_key, concurrency_key

-- name: insert_errors
INSERT INTO penstock_errors (job_id, attempt, error_class, message, traceback, worker, started_at, at)
SELECT json_extract(value, '$.id'), json_extract(value, '$.attempt'), json_extract(value, '$.class'),
       json_extract(value, '$.message'), json_extract(value, '$.traceback'), :worker,
       json_extract(value, '$.started'), :now
FROM json_each(:errors)

-- name: release_unique
DELETE FROM penstock_unique_keys
WHERE scope = 'active' AND (key, job_id) IN (
    SELECT json_extract(value, '$.key'), json_extract(value, '$.job') FROM json_each(:keys))

-- name: flows_ended_jobs
UPDATE penstock_flows AS f SET
    open = f.open - e.completed - e.failed - e.cancelled,
    completed = f.completed + e.completed, failed = f.failed + e.failed, cancelled = f.cancelled + e.cancelled,
    finished_at = CASE WHEN f.open - e.completed - e.failed - e.cancelled = 0 THEN :now END
FROM (SELECT json_extract(value, '$.id') AS id, json_extract(value, '$.completed') AS completed,
             json_extract(value, '$.failed') AS failed, json_extract(value, '$.cancelled') AS cancelled
      FROM json_each(:flows)) AS e
WHERE f.id = e.id
RETURNING id, finished_at, failed, cancelled, has_children

-- name: advance_children
UPDATE penstock_jobs AS j SET
    open_parents = j.open_parents - e.n,
    completed_parents = j.completed_parents + e.ok,
    failed_parents = j.failed_parents + e.n - e.ok,
    unmet_parent = CASE WHEN e.n > e.ok THEN e.culprit ELSE j.unmet_parent END
FROM (
    SELECT d.child_id, count(*) AS n, sum(json_extract(p.value, '$.ok')) AS ok,
           min(CASE WHEN NOT json_extract(p.value, '$.ok') THEN d.parent_id END) AS culprit
    FROM json_each(:ended) p CROSS JOIN penstock_edges d ON d.parent_id = json_extract(p.value, '$.id')
    GROUP BY d.child_id) AS e
WHERE j.id = e.child_id AND j.state = 'blocked'
RETURNING
    id, (SELECT queue FROM penstock_lanes WHERE id = lane_id), when_parents, open_parents, completed_parents,
    failed_parents, unmet_parent, due_at, priority,
    (SELECT q.aging_step FROM penstock_lanes l JOIN penstock_queues q ON q.name = l.queue WHERE l.id = lane_id)

-- name: unblock
UPDATE penstock_jobs AS j SET
    state = u.state, position = u.position, due_at = u.due, reason = u.reason, unmet_parent = NULL
FROM (SELECT json_extract(value, '$.id') AS id, json_extract(value, '$.state') AS state,
             json_extract(value, '$.position') AS position, json_extract(value, '$.due') AS due,
             json_extract(value, '$.reason') AS reason
      FROM json_each(:jobs)) AS u
WHERE j.id = u.id AND j.state = 'blocked'

-- name: end_unmet
UPDATE penstock_jobs AS j SET
    state = 'cancelled', finished_at = :now, due_at = NULL, unmet_parent = u.culprit, reason = u.reason
FROM (SELECT json_extract(value, '$.id') AS id, json_extract(value, '$.culprit') AS culprit,
             json_extract(value, '$.reason') AS reason
      FROM json_each(:jobs)) AS u
WHERE j.id = u.id AND j.state = 'blocked'
RETURNING id, state, flow_id, has_children, unique_key, concurrency_key

-- name: ended_jobs
SELECT j.id, l.kind, l.tenant, d.data, d.options, j.state, j.reason, j.flow_id
FROM penstock_jobs j JOIN penstock_lanes l ON l.id = j.lane_id JOIN penstock_job_data d ON d.job_id = j.id
WHERE j.id IN (SELECT value FROM json_each(:ids))

-- name: write_progress
INSERT INTO penstock_progress (job_id, share, message, at)
SELECT j.id, json_extract(p.value, '$.share'), json_extract(p.value, '$.message'), :now
FROM json_each(:rows) p CROSS JOIN penstock_jobs j ON j.id = json_extract(p.value, '$.id')
WHERE j.claim_id = json_extract(p.value, '$.claim') AND j.state = 'running' AND j.cancel_requested_at IS NULL
ON CONFLICT (job_id) DO UPDATE SET share = excluded.share, message = excluded.message, at = excluded.at
RETURNING job_id
