-- name: list_budgets
-- What holds: what was set at run time, else what the code declares.
SELECT b.name, b.unit, b.amount, b.tenant, b.kind, b.flow, b.per, b.tz, b.warn_at, b.source FROM penstock_budgets b
WHERE b.source = 'set'
   OR NOT EXISTS (SELECT 1 FROM penstock_budgets s WHERE s.name = b.name AND s.source = 'set')
ORDER BY b.name

-- name: declared_budget
SELECT name, unit, amount, tenant, kind, flow, per, tz, warn_at, source FROM penstock_budgets
WHERE name = :name AND source = :source

-- name: hold_budgets
-- The one writer is the lock.
SELECT 0

-- name: put_budget
INSERT INTO penstock_budgets (name, source, unit, amount, tenant, kind, flow, per, tz, warn_at, shape, changed_at)
VALUES (:name, :source, :unit, :amount, :tenant, :kind, :flow, :per, :tz, :warn_at, :shape, :now)
ON CONFLICT (name, source) DO UPDATE SET
    unit = excluded.unit, amount = excluded.amount, tenant = excluded.tenant, kind = excluded.kind, flow = excluded.flow,
    per = excluded.per, tz = excluded.tz, warn_at = excluded.warn_at, shape = excluded.shape,
    changed_at = excluded.changed_at

-- name: drop_budget
DELETE FROM penstock_budgets WHERE name = :name AND source = :source RETURNING name

-- name: amend_windows
-- A changed amount holds in the windows that are open, and what was told of them may be told again.
UPDATE penstock_budget_windows SET amount = :amount, warn_at = :warn_at, warned_at = NULL, spent_at = NULL
WHERE budget = :name AND shape = :shape AND (ends_at IS NULL OR ends_at > :now)
  AND (amount <> :amount OR warn_at IS NOT :warn_at)

-- name: lock_windows
SELECT w.budget, w.shape, w.tenant, w.kind, w.flow, w.start, w.ends_at, w.amount, w.warn_at, w.spent, w.reserved,
       w.warned_at, w.spent_at
FROM json_each(:keys) k CROSS JOIN penstock_budget_windows w
    ON w.budget = json_extract(k.value, '$.budget') AND w.shape = json_extract(k.value, '$.shape')
   AND w.tenant = json_extract(k.value, '$.tenant') AND w.kind = json_extract(k.value, '$.kind')
   AND w.flow = json_extract(k.value, '$.flow') AND w.start = json_extract(k.value, '$.start')

-- name: make_windows
-- With the amount of this moment, not of that at which its rule was read; none for a rule that is gone.
INSERT INTO penstock_budget_windows (budget, shape, tenant, kind, flow, start, ends_at, amount, warn_at)
SELECT b.name, b.shape, json_extract(k.value, '$.tenant'), json_extract(k.value, '$.kind'),
       json_extract(k.value, '$.flow'), json_extract(k.value, '$.start'), json_extract(k.value, '$.ends_at'), b.amount,
       b.warn_at
FROM json_each(:keys) k
JOIN penstock_budgets b ON b.name = json_extract(k.value, '$.budget') AND b.shape = json_extract(k.value, '$.shape')
WHERE b.source = 'set'
   OR NOT EXISTS (SELECT 1 FROM penstock_budgets s WHERE s.name = b.name AND s.source = 'set')
ON CONFLICT DO NOTHING

-- name: write_windows
UPDATE penstock_budget_windows AS w SET
    spent = json_extract(r.value, '$.spent'), reserved = json_extract(r.value, '$.reserved'),
    warned_at = json_extract(r.value, '$.warned_at'), spent_at = json_extract(r.value, '$.spent_at')
FROM json_each(:rows) r
WHERE w.budget = json_extract(r.value, '$.budget') AND w.shape = json_extract(r.value, '$.shape')
  AND w.tenant = json_extract(r.value, '$.tenant') AND w.kind = json_extract(r.value, '$.kind')
  AND w.flow = json_extract(r.value, '$.flow') AND w.start = json_extract(r.value, '$.start')

-- name: open_windows
-- The fullest first, each with the jobs that it holds.
WITH waiting AS (
    SELECT t.budget, t.shape, t.tenant, t.kind, t.flow, t.start, count(*) AS jobs
    FROM penstock_budget_waits t JOIN penstock_jobs j ON j.id = t.job_id
    WHERE NOT t.released AND j.state = 'scheduled' AND j.reason LIKE 'budget %' AND (:name IS NULL OR t.budget = :name)
    GROUP BY t.budget, t.shape, t.tenant, t.kind, t.flow, t.start
)
SELECT w.budget, w.shape, w.tenant, w.kind, w.flow, w.start, w.ends_at, w.amount, w.warn_at, w.spent, w.reserved,
       w.warned_at, w.spent_at, coalesce(t.jobs, 0)
FROM penstock_budget_windows w JOIN penstock_budgets b ON b.name = w.budget AND b.shape = w.shape
LEFT JOIN waiting t ON t.budget = w.budget AND t.shape = w.shape AND t.tenant = w.tenant AND t.kind = w.kind
    AND t.flow = w.flow AND t.start = w.start
WHERE (w.ends_at IS NULL OR w.ends_at > :now) AND (:name IS NULL OR w.budget = :name)
  AND (b.source = 'set'
       OR NOT EXISTS (SELECT 1 FROM penstock_budgets s WHERE s.name = b.name AND s.source = 'set'))
ORDER BY w.budget, (w.spent + w.reserved) * 1.0 / max(w.amount, 1) DESC, w.tenant, w.kind, w.flow LIMIT :limit

-- name: put_waits
-- Of jobs that wait for a budget, the windows that hold them; written while it is locked, before their runs end.
INSERT INTO penstock_budget_waits (job_id, budget, shape, tenant, kind, flow, start)
SELECT json_extract(value, '$.job_id'), json_extract(value, '$.budget'), json_extract(value, '$.shape'),
       json_extract(value, '$.tenant'), json_extract(value, '$.kind'), json_extract(value, '$.flow'),
       json_extract(value, '$.start')
FROM json_each(:rows) WHERE true
ON CONFLICT (job_id, budget) DO UPDATE SET
    shape = excluded.shape, tenant = excluded.tenant, kind = excluded.kind,
    flow = excluded.flow, start = excluded.start, released = 0

-- name: release_waits
UPDATE penstock_budget_waits SET released = 1 WHERE budget = :name AND NOT released RETURNING job_id

-- name: wake_budgeted
-- Of these jobs, those that wait for a budget which was changed since it held them.
UPDATE penstock_jobs SET
    state = 'ready',
    position = :now - priority * coalesce(
        (SELECT q.aging_step FROM penstock_lanes l JOIN penstock_queues q ON q.name = l.queue
         WHERE l.id = penstock_jobs.lane_id), :strict_step),
    due_at = NULL, reason = NULL
WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'scheduled' AND reason LIKE 'budget %'
  AND EXISTS (SELECT 1 FROM penstock_budget_waits w WHERE w.job_id = penstock_jobs.id AND w.released)
RETURNING id, (SELECT queue FROM penstock_lanes WHERE id = lane_id)

-- name: drop_waits
DELETE FROM penstock_budget_waits WHERE job_id IN (SELECT value FROM json_each(:ids))

-- name: prune_windows
-- Windows that ended before then, or whose flow is gone, with nothing under way in them.
DELETE FROM penstock_budget_windows WHERE rowid IN (
    SELECT * FROM (
        SELECT rowid FROM penstock_budget_windows
        WHERE ends_at < :before AND ends_at IS NOT NULL AND reserved = 0 ORDER BY ends_at LIMIT :limit)
    UNION
    SELECT * FROM (
        SELECT w.rowid FROM penstock_budget_windows w
        WHERE w.flow <> '' AND w.reserved = 0
          AND NOT EXISTS (SELECT 1 FROM penstock_flows f WHERE f.id = w.flow) LIMIT :limit))
RETURNING budget
