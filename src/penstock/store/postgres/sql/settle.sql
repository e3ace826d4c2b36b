-- name: complete_plain
-- The short way of `settle`, for completed runs that nobody has asked to cancel, of jobs that nothing is tied to. Waiting
-- for a lock, it looks again: what was tied to the job meanwhile keeps it for `settle`. Answers what it left: mostly
-- nothing, so that no row travels.
WITH rows AS MATERIALIZED (
    SELECT * FROM unnest(:rows.id::uuid[], :rows.claim::bigint[], :rows.attempt::smallint[], :rows.started::bigint[])
        AS r(id, claim, attempt, started)
), done AS (
    UPDATE penstock.jobs j SET
        state = 'completed', finished_at = :now, claim_id = NULL, attempt = r.attempt,
        started_at = coalesce(r.started, j.started_at), reason = NULL
    FROM rows r
    WHERE j.id = ANY (ARRAY[r.id]) AND j.claim_id = r.claim AND j.cancel_requested_at IS NULL
      AND j.flow_id IS NULL AND NOT j.has_children AND j.unique_key IS NULL AND j.concurrency_key IS NULL
    RETURNING j.id
), kept AS (
    INSERT INTO penstock.results (job_id, result)
    SELECT d.id, r.result::json
    FROM json_to_recordset(:results::json) AS r(id uuid, result text) JOIN done d ON d.id = r.id
    ON CONFLICT (job_id) DO UPDATE SET result = excluded.result
)
SELECT id FROM rows WHERE (SELECT count(*) FROM done) < :count::bigint AND id NOT IN (SELECT id FROM done);

-- name: complete
-- As `complete_plain`, whatever is tied to the jobs; answers the ids of what it ended, together where the same follows.
WITH rows AS MATERIALIZED (
    SELECT * FROM unnest(:rows.id::uuid[], :rows.claim::bigint[], :rows.attempt::smallint[], :rows.started::bigint[])
        AS r(id, claim, attempt, started)
), done AS (
    UPDATE penstock.jobs j SET
        state = 'completed', finished_at = :now, claim_id = NULL, attempt = r.attempt,
        started_at = coalesce(r.started, j.started_at), reason = NULL
    FROM rows r
    WHERE j.id = ANY (ARRAY[r.id]) AND j.claim_id = r.claim AND j.cancel_requested_at IS NULL
    RETURNING j.id, j.flow_id, j.has_children, j.unique_key, j.concurrency_key
), kept AS (
    INSERT INTO penstock.results (job_id, result)
    SELECT d.id, r.result::json
    FROM json_to_recordset(:results::json) AS r(id uuid, result text) JOIN done d ON d.id = r.id
    ON CONFLICT (job_id) DO UPDATE SET result = excluded.result
)
SELECT json_agg(id), flow_id, has_children, unique_key, concurrency_key FROM done GROUP BY 2, 3, 4, 5;

-- name: settle
-- The one statement that ends runs: fenced by claim, whatever the outcome. Of a run whose cancel was requested only
-- the ending is taken, and it is `cancelled`; its result is dropped.
-- Here and below `= ANY (ARRAY[…])` and not `=`: it leaves the planner no way but one look-up by key for each row of the
-- batch, also with a plan made while the table was empty. A claim id means `running` (a CHECK of the table): said as well,
-- it would offer an index of all runs.
WITH rows AS MATERIALIZED (
    SELECT * FROM json_to_recordset(:rows::json) AS r(
        id uuid, claim bigint, state text, attempt smallint, losses smallint, position bigint, due bigint, lane integer,
        started bigint, reason text, result text)
), done AS (
    UPDATE penstock.jobs j SET
        state = (CASE WHEN j.cancel_requested_at IS NULL THEN r.state ELSE 'cancelled' END)::penstock.job_state,
        finished_at = CASE WHEN j.cancel_requested_at IS NOT NULL OR r.state IN ('completed', 'failed', 'cancelled')
                           THEN :now::bigint END,
        claim_id = NULL,
        attempt = r.attempt,
        losses = coalesce(r.losses, j.losses),
        position = coalesce(r.position, j.position),
        due_at = CASE WHEN j.cancel_requested_at IS NULL THEN r.due END,
        lane_id = coalesce(r.lane, j.lane_id),
        started_at = coalesce(r.started, j.started_at),
        reason = CASE WHEN j.cancel_requested_at IS NULL THEN r.reason ELSE j.reason END
    FROM rows r
    WHERE j.id = ANY (ARRAY[r.id]) AND j.claim_id = r.claim
    RETURNING j.id, j.state::text, j.flow_id, j.has_children, j.unique_key, j.concurrency_key, r.result
), kept AS (
    INSERT INTO penstock.results (job_id, result)
    SELECT id, result::json FROM done WHERE state = 'completed' AND result IS NOT NULL
    ON CONFLICT (job_id) DO UPDATE SET result = excluded.result
)
SELECT id, state, flow_id, has_children, unique_key, concurrency_key FROM done;

-- name: insert_errors
INSERT INTO penstock.errors (job_id, attempt, error_class, message, traceback, worker, started_at, at)
SELECT id, attempt, class, message, traceback, :worker::text, started, :now
FROM json_to_recordset(:errors::json) AS e(
    id uuid, attempt smallint, class text, message text, traceback text, started bigint);

-- name: release_unique
-- Only the job that holds a key frees it, and only a key that lasts no longer than its job.
DELETE FROM penstock.unique_keys u
USING json_to_recordset(:keys::json) AS k(key text, job uuid)
WHERE u.key = k.key AND u.job_id = k.job AND u.scope = 'active';

-- name: flows_ended_jobs
UPDATE penstock.flows f SET
    open = f.open - e.completed - e.failed - e.cancelled,
    completed = f.completed + e.completed, failed = f.failed + e.failed, cancelled = f.cancelled + e.cancelled,
    finished_at = CASE WHEN f.open - e.completed - e.failed - e.cancelled = 0 THEN :now::bigint END
FROM json_to_recordset(:flows::json) AS e(id uuid, completed integer, failed integer, cancelled integer)
WHERE f.id = ANY (ARRAY[e.id])
RETURNING f.id, f.finished_at, f.failed, f.cancelled, f.has_children;

-- name: advance_children
-- Once per child and batch, children locked in id order. Only a blocked child counts.
WITH ended AS MATERIALIZED (
    SELECT e.child_id, count(*) AS n, count(*) FILTER (WHERE p.ok) AS ok,
           min(p.id::text) FILTER (WHERE NOT p.ok) AS culprit
    FROM json_to_recordset(:ended::json) AS p(id uuid, ok boolean)
    CROSS JOIN LATERAL (
        -- OFFSET keeps it a look-up for each parent: joined freely, all edges would be read.
        SELECT child_id FROM penstock.edges WHERE parent_id = p.id OFFSET 0) e
    GROUP BY e.child_id
), locked AS MATERIALIZED (
    SELECT j.id FROM penstock.jobs j
    WHERE j.id = ANY (ARRAY(SELECT child_id FROM ended)) AND j.state = 'blocked'
    ORDER BY j.id FOR NO KEY UPDATE
), advanced AS (
    UPDATE penstock.jobs j SET
        open_parents = j.open_parents - e.n::integer,
        completed_parents = j.completed_parents + e.ok::integer,
        failed_parents = j.failed_parents + (e.n - e.ok)::integer
    FROM ended e
    -- The count makes the locks come first.
    WHERE (SELECT count(*) FROM locked) > 0 AND j.id = ANY (ARRAY[e.child_id]) AND j.state = 'blocked'
    RETURNING j.id, j.lane_id, j.when_parents, j.open_parents, j.completed_parents, j.failed_parents, e.culprit,
              j.due_at, j.priority
)
SELECT a.id, l.queue, a.when_parents, a.open_parents, a.completed_parents, a.failed_parents, a.culprit, a.due_at,
       a.priority, q.aging_step
FROM advanced a JOIN penstock.lanes l ON l.id = a.lane_id LEFT JOIN penstock.queues q ON q.name = l.queue;

-- name: unblock
UPDATE penstock.jobs j SET state = u.state::penstock.job_state, position = u.position, due_at = u.due, reason = u.reason
FROM json_to_recordset(:jobs::json) AS u(id uuid, state text, position bigint, due bigint, reason text)
WHERE j.id = ANY (ARRAY[u.id]) AND j.state = 'blocked';

-- name: end_unmet
UPDATE penstock.jobs j SET
    state = 'cancelled', finished_at = :now, due_at = NULL, unmet_parent = u.culprit, reason = u.reason
FROM json_to_recordset(:jobs::json) AS u(id uuid, culprit uuid, reason text)
WHERE j.id = ANY (ARRAY[u.id]) AND j.state = 'blocked'
RETURNING j.id, j.state::text, j.flow_id, j.has_children, j.unique_key, j.concurrency_key;

-- name: ended_jobs
-- What a job enqueued for an ended one needs to know of it.
SELECT j.id, l.kind, l.tenant, j.data, j.options, j.state::text, j.reason, j.flow_id
FROM penstock.jobs j JOIN penstock.lanes l ON l.id = j.lane_id
WHERE j.id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid));

-- name: write_progress
-- Fenced: only the run that holds the job, and not after its cancel was requested.
-- Locked, in the order in which endings lock, so that no claim ends between the look and the write.
WITH held AS MATERIALIZED (
    SELECT j.id, p.share, p.message
    FROM json_to_recordset(:rows::json) AS p(id uuid, claim bigint, share double precision, message text)
    JOIN penstock.jobs j ON j.id = ANY (ARRAY[p.id]) AND j.claim_id = p.claim AND j.cancel_requested_at IS NULL
    FOR NO KEY UPDATE OF j
)
INSERT INTO penstock.progress (job_id, share, message, at)
SELECT id, share, message, :now FROM held
ON CONFLICT (job_id) DO UPDATE SET share = excluded.share, message = excluded.message, at = excluded.at
RETURNING job_id;
