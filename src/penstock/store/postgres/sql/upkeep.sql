-- name: put_schedule
-- A schedule that was changed in code starts anew from its new first tick; an unchanged one keeps its place and pause.
INSERT INTO penstock.schedules AS s (name, cron, every, tz, missed, lane, job, next_at, declared)
VALUES (:name, :cron, :every, :tz, :missed, :lane::json, :job::json, :next_at, true)
ON CONFLICT (name) DO UPDATE SET
    next_at = CASE WHEN s.cron IS NOT DISTINCT FROM excluded.cron AND s.every IS NOT DISTINCT FROM excluded.every
                    AND s.tz = excluded.tz THEN s.next_at ELSE excluded.next_at END,
    cron = excluded.cron, every = excluded.every, tz = excluded.tz, missed = excluded.missed, lane = excluded.lane,
    job = excluded.job, declared = true;

-- name: undeclare_schedules
-- What no code declares any more is paused and listed, not deleted. Only of the queues that the declaring worker serves,
-- so that two applications in one database leave each other alone.
UPDATE penstock.schedules SET declared = false
WHERE declared AND name NOT IN (SELECT json_array_elements_text(:names::json))
  AND lane ->> 0 IN (SELECT json_array_elements_text(:queues::json));

-- name: due_schedules
SELECT name, cron, every, tz, missed, lane, job, next_at FROM penstock.schedules
WHERE next_at <= :now AND paused_at IS NULL AND declared ORDER BY next_at LIMIT 100
FOR UPDATE SKIP LOCKED;

-- name: next_tick
SELECT next_at FROM penstock.schedules
WHERE next_at IS NOT NULL AND paused_at IS NULL AND declared ORDER BY next_at LIMIT 1;

-- name: move_schedule
UPDATE penstock.schedules SET next_at = :next_at, last_at = coalesce(:last_at, last_at) WHERE name = :name;

-- name: list_schedules
SELECT name, cron, every, tz, missed, lane, next_at, last_at, paused_at, declared FROM penstock.schedules ORDER BY name;

-- name: pause_schedule
UPDATE penstock.schedules SET paused_at = :now WHERE name = :name RETURNING name;

-- name: resume_schedule
UPDATE penstock.schedules SET paused_at = NULL, next_at = :next_at WHERE name = :name RETURNING name;

-- name: get_schedule
SELECT name, cron, every, tz, missed, lane, job, next_at FROM penstock.schedules WHERE name = :name;

-- name: prunable
-- Ended jobs of one queue and state, oldest first, that are past their time: never one that a job after it, or its flow,
-- still needs. Those with a retention of their own apart from the others, each by its index: what stays for ever must
-- not be read each time. OFFSET keeps the planner from reading all edges at once.
WITH past AS (
    (SELECT j.id, j.finished_at FROM penstock.jobs j
     WHERE j.finished_at <= :before AND j.finished_at IS NOT NULL AND j.options ->> 'retention' IS NULL
       AND j.state = :state::penstock.job_state
       AND j.lane_id = ANY (ARRAY(SELECT id FROM penstock.lanes WHERE queue = :queue))
       AND NOT EXISTS (SELECT FROM penstock.flows f WHERE f.id = j.flow_id AND f.finished_at IS NULL OFFSET 0)
       AND (NOT j.has_children OR NOT EXISTS (
           SELECT FROM penstock.edges e JOIN penstock.jobs c ON c.id = ANY (ARRAY[e.child_id])
           WHERE e.parent_id = j.id AND c.finished_at IS NULL OFFSET 0))
     ORDER BY j.finished_at LIMIT :limit)
    UNION ALL
    (SELECT j.id, j.finished_at FROM penstock.jobs j
     WHERE j.finished_at <= :now - (j.options ->> 'retention')::bigint AND j.finished_at IS NOT NULL
       AND j.options ->> 'retention' IS NOT NULL
       AND j.state = :state::penstock.job_state
       AND j.lane_id = ANY (ARRAY(SELECT id FROM penstock.lanes WHERE queue = :queue))
       AND NOT EXISTS (SELECT FROM penstock.flows f WHERE f.id = j.flow_id AND f.finished_at IS NULL OFFSET 0)
       AND (NOT j.has_children OR NOT EXISTS (
           SELECT FROM penstock.edges e JOIN penstock.jobs c ON c.id = ANY (ARRAY[e.child_id])
           WHERE e.parent_id = j.id AND c.finished_at IS NULL OFFSET 0))
     ORDER BY j.finished_at LIMIT :limit)
)
SELECT id FROM past ORDER BY finished_at LIMIT :limit;

-- name: prunable_over_count
SELECT j.id FROM penstock.jobs j JOIN penstock.lanes l ON l.id = j.lane_id
LEFT JOIN penstock.flows f ON f.id = j.flow_id
WHERE j.finished_at IS NOT NULL AND j.state = :state::penstock.job_state AND l.queue = :queue
  AND (f.id IS NULL OR f.finished_at IS NOT NULL)
  AND (NOT j.has_children OR NOT EXISTS (
      SELECT FROM penstock.edges e JOIN penstock.jobs c ON c.id = ANY (ARRAY[e.child_id])
      WHERE e.parent_id = j.id AND c.finished_at IS NULL OFFSET 0))
ORDER BY j.finished_at DESC LIMIT :limit OFFSET :keep;

-- name: prunable_over_bytes
SELECT id FROM (
    SELECT j.id, j.finished_at, sum(coalesce(octet_length(j.data::text), 0) + coalesce(octet_length(r.result::text), 0)
               + coalesce((SELECT sum(s.length) FROM penstock.streams s WHERE s.job_id = j.id), 0))
               OVER (ORDER BY j.finished_at DESC, j.id) AS size
    FROM penstock.jobs j JOIN penstock.lanes l ON l.id = j.lane_id
    LEFT JOIN penstock.flows f ON f.id = j.flow_id
    LEFT JOIN penstock.results r ON r.job_id = j.id
    WHERE j.finished_at IS NOT NULL AND l.queue = :queue AND (f.id IS NULL OR f.finished_at IS NOT NULL)
      AND (NOT j.has_children OR NOT EXISTS (
          SELECT FROM penstock.edges e JOIN penstock.jobs c ON c.id = ANY (ARRAY[e.child_id])
          WHERE e.parent_id = j.id AND c.finished_at IS NULL OFFSET 0))
    ) sized
WHERE size > :keep ORDER BY finished_at LIMIT :limit;

-- name: needed_parents
-- Which of these jobs a job after them still needs.
SELECT DISTINCT e.parent_id FROM penstock.edges e JOIN penstock.jobs c ON c.id = e.child_id
WHERE e.parent_id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid)) AND c.finished_at IS NULL;

-- name: prune
WITH ids AS MATERIALIZED (
    SELECT json_array_elements_text(:ids::json)::uuid AS id
), r AS (DELETE FROM penstock.results USING ids WHERE job_id = ids.id),
   p AS (DELETE FROM penstock.progress USING ids WHERE job_id = ids.id),
   e AS (DELETE FROM penstock.errors USING ids WHERE job_id = ids.id),
   s AS (DELETE FROM penstock.steps USING ids WHERE job_id = ids.id),
   g AS (DELETE FROM penstock.signals USING ids WHERE job_id = ids.id),
   h AS (DELETE FROM penstock.streams USING ids WHERE job_id = ids.id),
   c AS (DELETE FROM penstock.stream_chunks USING ids WHERE job_id = ids.id),
   w AS (DELETE FROM penstock.budget_waits USING ids WHERE job_id = ids.id),
   d AS (DELETE FROM penstock.edges USING ids WHERE child_id = ids.id)
DELETE FROM penstock.jobs j USING ids WHERE j.id = ids.id AND j.finished_at IS NOT NULL RETURNING j.id;

-- name: prune_keys
DELETE FROM penstock.unique_keys WHERE expires_at <= :now;

-- name: prune_flows
DELETE FROM penstock.flows f WHERE f.id IN (
    SELECT id FROM penstock.flows g WHERE g.finished_at <= :before
      AND NOT EXISTS (SELECT FROM penstock.jobs j WHERE j.flow_id = g.id)
      AND NOT EXISTS (SELECT FROM penstock.edges e WHERE e.parent_id = g.id) LIMIT 1000)
RETURNING f.id;

-- name: queues_with_ended
SELECT l.queue, q.retention FROM (SELECT DISTINCT queue FROM penstock.lanes) l
LEFT JOIN penstock.queues q ON q.name = l.queue;
