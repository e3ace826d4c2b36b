-- name: put_schedule
-- A schedule that was changed in code starts anew from its new first tick; an unchanged one keeps its place and pause.
INSERT INTO penstock_schedules AS s (name, cron, every, tz, missed, lane, job, next_at, declared)
VALUES (:name, :cron, :every, :tz, :missed, :lane, :job, :next_at, true)
ON CONFLICT (name) DO UPDATE SET
    next_at = CASE WHEN s.cron IS excluded.cron AND s.every IS excluded.every
                    AND s.tz = excluded.tz THEN s.next_at ELSE excluded.next_at END,
    cron = excluded.cron, every = excluded.every, tz = excluded.tz, missed = excluded.missed, lane = excluded.lane,
    job = excluded.job, declared = true

-- name: undeclare_schedules
-- What no code declares any more is paused and listed, not deleted. Only of the queues that the declaring worker serves,
-- so that two applications in one database leave each other alone.
UPDATE penstock_schedules SET declared = false
WHERE declared AND name NOT IN (SELECT value FROM json_each(:names))
  AND json_extract(lane, '$[0]') IN (SELECT value FROM json_each(:queues))

-- name: due_schedules
SELECT name, cron, every, tz, missed, lane, job, next_at FROM penstock_schedules
WHERE next_at <= :now AND paused_at IS NULL AND declared ORDER BY next_at LIMIT 100

-- name: next_tick
SELECT next_at FROM penstock_schedules
WHERE next_at IS NOT NULL AND paused_at IS NULL AND declared ORDER BY next_at LIMIT 1

-- name: move_schedule
UPDATE penstock_schedules SET next_at = :next_at, last_at = coalesce(:last_at, last_at) WHERE name = :name

-- name: list_schedules
SELECT name, cron, every, tz, missed, lane, next_at, last_at, paused_at, declared FROM penstock_schedules ORDER BY name

-- name: pause_schedule
UPDATE penstock_schedules SET paused_at = :now WHERE name = :name RETURNING name

-- name: resume_schedule
UPDATE penstock_schedules SET paused_at = NULL, next_at = :next_at WHERE name = :name RETURNING name

-- name: get_schedule
SELECT name, cron, every, tz, missed, lane, job, next_at FROM penstock_schedules WHERE name = :name

-- name: prunable
-- Ended jobs of one queue and state, oldest first, that are past their time: never one that a job after it, or its flow,
-- still needs. Those with a retention of their own apart from the others, each by its index: what stays for long must not
-- be read each time.
SELECT id FROM (
    SELECT * FROM (
        SELECT j.id, j.finished_at FROM penstock_jobs j INDEXED BY penstock_jobs_finished
        WHERE j.finished_at <= :before AND j.finished_at IS NOT NULL AND j.state = :state
          AND j.lane_id IN (SELECT id FROM penstock_lanes WHERE queue = :queue)
          AND (SELECT json_extract(d.options, '$.retention') FROM penstock_job_data d WHERE d.job_id = j.id) IS NULL
          AND NOT EXISTS (SELECT 1 FROM penstock_flows f WHERE f.id = j.flow_id AND f.finished_at IS NULL)
          AND (NOT j.has_children OR NOT EXISTS (
              SELECT 1 FROM penstock_edges e JOIN penstock_jobs c ON c.id = e.child_id
              WHERE e.parent_id = j.id AND c.finished_at IS NULL))
        ORDER BY j.finished_at LIMIT :limit)
    UNION ALL
    SELECT * FROM (
        SELECT j.id, j.finished_at
        FROM penstock_job_data d INDEXED BY penstock_job_data_retention CROSS JOIN penstock_jobs j ON j.id = d.job_id
        WHERE json_extract(d.options, '$.retention') IS NOT NULL AND j.finished_at IS NOT NULL AND j.state = :state
          AND j.finished_at <= :now - json_extract(d.options, '$.retention')
          AND j.lane_id IN (SELECT id FROM penstock_lanes WHERE queue = :queue)
          AND NOT EXISTS (SELECT 1 FROM penstock_flows f WHERE f.id = j.flow_id AND f.finished_at IS NULL)
          AND (NOT j.has_children OR NOT EXISTS (
              SELECT 1 FROM penstock_edges e JOIN penstock_jobs c ON c.id = e.child_id
              WHERE e.parent_id = j.id AND c.finished_at IS NULL))
        ORDER BY j.finished_at LIMIT :limit))
ORDER BY finished_at LIMIT :limit

-- name: prunable_over_count
SELECT j.id FROM penstock_jobs j JOIN penstock_lanes l ON l.id = j.lane_id
LEFT JOIN penstock_flows f ON f.id = j.flow_id
WHERE j.finished_at IS NOT NULL AND j.state = :state AND l.queue = :queue
  AND (f.id IS NULL OR f.finished_at IS NOT NULL)
  AND (NOT j.has_children OR NOT EXISTS (
      SELECT 1 FROM penstock_edges e JOIN penstock_jobs c ON c.id = e.child_id
      WHERE e.parent_id = j.id AND c.finished_at IS NULL))
ORDER BY j.finished_at DESC LIMIT :limit OFFSET :keep

-- name: prunable_over_bytes
SELECT id FROM (
    SELECT j.id, j.finished_at, sum(coalesce(length(d.data), 0) + coalesce(length(r.result), 0)
               + coalesce((SELECT sum(s.length) FROM penstock_streams s WHERE s.job_id = j.id), 0))
               OVER (ORDER BY j.finished_at DESC, j.id) AS size
    FROM penstock_jobs j JOIN penstock_lanes l ON l.id = j.lane_id JOIN penstock_job_data d ON d.job_id = j.id
    LEFT JOIN penstock_flows f ON f.id = j.flow_id
    LEFT JOIN penstock_results r ON r.job_id = j.id
    WHERE j.finished_at IS NOT NULL AND l.queue = :queue AND (f.id IS NULL OR f.finished_at IS NOT NULL)
      AND (NOT j.has_children OR NOT EXISTS (
          SELECT 1 FROM penstock_edges e JOIN penstock_jobs c ON c.id = e.child_id
          WHERE e.parent_id = j.id AND c.finished_at IS NULL))
    ) sized
WHERE size > :keep ORDER BY finished_at LIMIT :limit

-- name: needed_parents
-- Which of these jobs a job after them still needs.
SELECT DISTINCT e.parent_id FROM penstock_edges e JOIN penstock_jobs c ON c.id = e.child_id
WHERE e.parent_id IN (SELECT value FROM json_each(:ids)) AND c.finished_at IS NULL

-- name: prune
DELETE FROM penstock_results WHERE job_id IN (SELECT value FROM json_each(:ids))
;;
DELETE FROM penstock_progress WHERE job_id IN (SELECT value FROM json_each(:ids))
;;
DELETE FROM penstock_errors WHERE job_id IN (SELECT value FROM json_each(:ids))
;;
DELETE FROM penstock_steps WHERE job_id IN (SELECT value FROM json_each(:ids))
;;
DELETE FROM penstock_signals WHERE job_id IN (SELECT value FROM json_each(:ids))
;;
DELETE FROM penstock_budget_waits WHERE job_id IN (SELECT value FROM json_each(:ids))
;;
DELETE FROM penstock_streams WHERE job_id IN (SELECT value FROM json_each(:ids))
;;
DELETE FROM penstock_stream_chunks WHERE job_id IN (SELECT value FROM json_each(:ids))
;;
DELETE FROM penstock_edges WHERE child_id IN (SELECT value FROM json_each(:ids))
;;
DELETE FROM penstock_job_data WHERE job_id IN (SELECT value FROM json_each(:ids))
;;
DELETE FROM penstock_jobs WHERE id IN (SELECT value FROM json_each(:ids)) AND finished_at IS NOT NULL RETURNING id

-- name: prune_keys
DELETE FROM penstock_unique_keys WHERE expires_at <= :now

-- name: prune_flows
DELETE FROM penstock_flows WHERE id IN (
    SELECT id FROM penstock_flows g WHERE g.finished_at <= :before
      AND NOT EXISTS (SELECT 1 FROM penstock_jobs j WHERE j.flow_id = g.id)
      AND NOT EXISTS (SELECT 1 FROM penstock_edges e WHERE e.parent_id = g.id) LIMIT 1000)
RETURNING id

-- name: queues_with_ended
SELECT l.queue, q.retention FROM (SELECT DISTINCT queue FROM penstock_lanes) l
LEFT JOIN penstock_queues q ON q.name = l.queue
