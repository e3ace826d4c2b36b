-- name: claim
-- Lanes first: what this worker must not take is never looked at. `after` is a hint that skips entries already claimed
-- but not yet vacuumed away. With one lane its first rows are the batch. With several, heads are read without locks to
-- share the batch out over lanes (priority, then a turn for each tenant, then age). Then each lane's share is locked in
-- order, passing over what another worker holds. What all jobs of a lane share is told only of lanes
-- that are not `known`: in every row it would be a join here and columns to read there.
-- The correlated LIMITs and the ctid array leave the planner no way but the index, whatever its statistics say; the
-- state in a coalesce, because as it is it would offer the index of all that is ready.
WITH wanted AS MATERIALIZED (
    SELECT l.id, l.tenant, coalesce(h.after, -9223372036854775807) AS after, q.aging_step,
           coalesce(a.turns, 0) AS ahead
    FROM penstock.lanes l
    LEFT JOIN penstock.queues q ON q.name = l.queue
    LEFT JOIN json_to_recordset(:hints::json) AS h(lane integer, after bigint) ON h.lane = l.id
    LEFT JOIN json_to_recordset(:ahead::json) AS a(tenant text, turns bigint) ON a.tenant IS NOT DISTINCT FROM l.tenant
    WHERE l.queue = :queue AND l.solo = :solo AND q.paused_at IS NULL
      AND (:any_kind OR l.kind IN (SELECT json_array_elements_text(:kinds::json)))
      AND (l.seal_key IS NULL OR l.seal_key IN (SELECT json_array_elements_text(:seal_keys::json)))
      AND NOT EXISTS (
          SELECT FROM json_to_recordset(:held::json) AS n(kind text, tenant text, whole boolean)
          WHERE n.kind = l.kind AND (n.whole OR n.tenant IS NOT DISTINCT FROM l.tenant))
), heads AS MATERIALIZED (
    SELECT w.id AS lane, j.position,
           CASE WHEN w.aging_step IS NULL THEN -j.priority ELSE 0 END AS band,
           w.ahead + row_number() OVER (
               PARTITION BY w.tenant, CASE WHEN w.aging_step IS NULL THEN j.priority ELSE 0 END
               ORDER BY j.position) AS turn
    FROM wanted w CROSS JOIN LATERAL (
        SELECT position, priority FROM penstock.jobs
        WHERE lane_id = w.id AND state = 'ready' AND position > w.after
        ORDER BY position LIMIT :limit) j
    WHERE (SELECT count(*) FROM wanted) > 1
), shares AS MATERIALIZED (
    SELECT lane, count(*) AS share
    FROM (SELECT lane FROM heads ORDER BY band, turn, position LIMIT :limit) first
    GROUP BY lane
    UNION ALL
    SELECT id, :limit FROM wanted WHERE (SELECT count(*) FROM wanted) = 1
), taken AS MATERIALIZED (
    SELECT j.place
    FROM shares s JOIN wanted w ON w.id = s.lane
    CROSS JOIN LATERAL (
        SELECT ctid AS place FROM penstock.jobs
        WHERE lane_id = w.id AND state = 'ready' AND position > w.after
        ORDER BY position LIMIT s.share FOR UPDATE SKIP LOCKED) j
), claimed AS (
    UPDATE penstock.jobs SET
        state = 'running', claim_id = :claim_id, worker_id = :worker_id, claimed_at = :now, started_at = NULL
    WHERE ctid = ANY (ARRAY(SELECT place FROM taken)) AND coalesce(state = 'ready', false)
    RETURNING id, lane_id, position, priority, attempt, losses, max_attempts, created_at, deadline_at, flow_id,
              flow_id IS NOT NULL OR has_children OR unique_key IS NOT NULL OR concurrency_key IS NOT NULL AS tied,
              concurrency_key, concurrency_limit, data, options
)
SELECT c.*, (SELECT aging_step FROM wanted LIMIT 1),
       CASE WHEN c.lane_id <> ALL (ARRAY(SELECT json_array_elements_text(:known::json)::integer)) THEN (
           SELECT json_build_array(l.kind, l.tenant) FROM penstock.lanes l WHERE l.id = c.lane_id) END
FROM claimed c;

-- name: fall_due
WITH due AS MATERIALIZED (
    SELECT ctid AS place FROM penstock.jobs
    WHERE state = 'scheduled' AND due_at <= :now
    ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
)
UPDATE penstock.jobs j SET
    state = 'ready', position = j.due_at - j.priority * coalesce(q.aging_step, :strict_step), due_at = NULL, reason = NULL
FROM penstock.lanes l LEFT JOIN penstock.queues q ON q.name = l.queue
WHERE j.ctid = ANY (ARRAY(SELECT place FROM due)) AND j.state::text = 'scheduled' AND l.id = j.lane_id
RETURNING l.queue;

-- name: next_due
SELECT due_at FROM penstock.jobs WHERE state = 'scheduled' AND due_at IS NOT NULL ORDER BY due_at LIMIT 1;

-- name: solo_waiting
-- Whether a job that has to be claimed alone waits in this queue.
SELECT 1 FROM penstock.lanes l CROSS JOIN LATERAL (
    SELECT 1 FROM penstock.jobs j WHERE j.lane_id = l.id AND j.state = 'ready' LIMIT 1) one
WHERE l.queue = :queue AND l.solo LIMIT 1;

-- name: lock_queue
-- Claims of a queue with a rate or a total take turns on its row.
SELECT rate_starts, total_concurrency, rate_limit, rate_period FROM penstock.queues WHERE name = :queue FOR UPDATE;

-- name: spend_rate
UPDATE penstock.queues SET rate_starts = :starts::json WHERE name = :queue;

-- name: running_in_queue
SELECT count(*) FROM penstock.jobs j JOIN penstock.lanes l ON l.id = j.lane_id
WHERE j.state = 'running' AND l.queue = :queue;

-- name: lock_concurrency_keys
SELECT key FROM penstock.concurrency_keys
WHERE key = ANY (ARRAY(SELECT json_array_elements_text(:keys::json))) ORDER BY key FOR UPDATE;

-- name: make_concurrency_keys
-- Waits for whoever is making one of them now.
INSERT INTO penstock.concurrency_keys (key)
SELECT k FROM json_array_elements_text(:keys::json) k ORDER BY k
ON CONFLICT DO NOTHING;

-- name: running_by_key
SELECT concurrency_key, count(*) FROM penstock.jobs
WHERE concurrency_key = ANY (ARRAY(SELECT json_array_elements_text(:keys::json))) AND state = 'running'
GROUP BY concurrency_key;

-- name: park
-- A scheduled job without a due time is parked. One whose cancel was requested since its claim is to end instead.
UPDATE penstock.jobs SET
    state = 'scheduled', claim_id = NULL, worker_id = NULL, claimed_at = NULL, due_at = NULL, reason = 'concurrency'
WHERE id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid)) AND claim_id = :claim_id
  AND cancel_requested_at IS NULL
RETURNING id;

-- name: unpark
-- Room in a key lets its first parked jobs go on; a job of a smaller limit than what runs stays.
WITH room AS MATERIALIZED (
    SELECT k.key, coalesce(r.running, 0) AS running
    FROM json_array_elements_text(:keys::json) AS k(key)
    LEFT JOIN (
        SELECT concurrency_key, count(*) AS running FROM penstock.jobs
        WHERE concurrency_key = ANY (ARRAY(SELECT json_array_elements_text(:keys::json))) AND state = 'running'
        GROUP BY concurrency_key) r ON r.concurrency_key = k.key
), going AS MATERIALIZED (
    SELECT j.id FROM room CROSS JOIN LATERAL (
        SELECT p.id, row_number() OVER (ORDER BY p.position) AS turn, p.concurrency_limit
        FROM penstock.jobs p
        WHERE p.concurrency_key = room.key AND p.state = 'scheduled' AND p.due_at IS NULL
        ORDER BY p.position LIMIT 100) j
    WHERE room.running + j.turn <= j.concurrency_limit
)
UPDATE penstock.jobs j SET state = 'ready', reason = NULL
FROM penstock.lanes l
WHERE j.id = ANY (ARRAY(SELECT id FROM going)) AND j.state = 'scheduled' AND j.due_at IS NULL
  AND l.id = j.lane_id
RETURNING l.queue;

-- name: parked_keys
SELECT DISTINCT concurrency_key FROM penstock.jobs
WHERE concurrency_key IS NOT NULL AND state = 'scheduled' AND due_at IS NULL LIMIT 1000;
