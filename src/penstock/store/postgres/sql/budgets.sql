-- name: list_budgets
-- What holds: what was set at run time, else what the code declares.
SELECT b.name, b.unit, b.amount, b.tenant, b.kind, b.flow, b.per, b.tz, b.warn_at, b.source FROM penstock.budgets b
WHERE b.source = 'set'
   OR NOT EXISTS (SELECT FROM penstock.budgets s WHERE s.name = b.name AND s.source = 'set')
ORDER BY b.name;

-- name: declared_budget
SELECT name, unit, amount, tenant, kind, flow, per, tz, warn_at, source FROM penstock.budgets
WHERE name = :name AND source = :source;

-- name: hold_budgets
-- Whoever changes a budget waits for the transactions that are in its windows, and lets none in until it has committed:
-- each call then sees the old amounts and is seen, or sees the new ones. Calls do not wait for each other here.
LOCK TABLE penstock.budget_windows IN EXCLUSIVE MODE;

-- name: put_budget
INSERT INTO penstock.budgets (name, source, unit, amount, tenant, kind, flow, per, tz, warn_at, shape, changed_at)
VALUES (:name, :source, :unit, :amount, :tenant, :kind, :flow, :per, :tz, :warn_at, :shape, :now)
ON CONFLICT (name, source) DO UPDATE SET
    unit = excluded.unit, amount = excluded.amount, tenant = excluded.tenant, kind = excluded.kind, flow = excluded.flow,
    per = excluded.per, tz = excluded.tz, warn_at = excluded.warn_at, shape = excluded.shape,
    changed_at = excluded.changed_at;

-- name: drop_budget
DELETE FROM penstock.budgets WHERE name = :name AND source = :source RETURNING name;

-- name: amend_windows
-- A changed amount holds in the windows that are open, and what was told of them may be told again.
UPDATE penstock.budget_windows SET amount = :amount, warn_at = :warn_at, warned_at = NULL, spent_at = NULL
WHERE budget = :name AND shape = :shape AND (ends_at IS NULL OR ends_at > :now)
  AND (amount <> :amount OR warn_at IS DISTINCT FROM :warn_at);

-- name: lock_windows
-- In the order of their keys, so that no two wait for each other. One look-up for each, whatever the planner thinks of
-- how many windows there are: so are all joins of these tables written.
SELECT w.budget, w.shape, w.tenant, w.kind, w.flow, w.start, w.ends_at, w.amount, w.warn_at, w.spent, w.reserved,
       w.warned_at, w.spent_at
FROM penstock.budget_windows w
JOIN json_to_recordset(:keys::json) AS k(
    budget text, shape text, tenant text, kind text, flow text, start bigint)
    ON w.budget = ANY (ARRAY[k.budget]) AND w.shape = ANY (ARRAY[k.shape]) AND w.tenant = ANY (ARRAY[k.tenant])
   AND w.kind = ANY (ARRAY[k.kind]) AND w.flow = ANY (ARRAY[k.flow]) AND w.start = ANY (ARRAY[k.start])
ORDER BY w.budget, w.shape, w.tenant, w.kind, w.flow, w.start FOR UPDATE OF w;

-- name: make_windows
-- With the amount of this moment, not of that at which its rule was read; none for a rule that is gone.
INSERT INTO penstock.budget_windows (budget, shape, tenant, kind, flow, start, ends_at, amount, warn_at)
SELECT b.name, b.shape, k.tenant, k.kind, k.flow, k.start, k.ends_at, b.amount, b.warn_at
FROM json_to_recordset(:keys::json) AS k(
    budget text, shape text, tenant text, kind text, flow text, start bigint, ends_at bigint)
JOIN penstock.budgets b ON b.name = k.budget AND b.shape = k.shape
WHERE b.source = 'set'
   OR NOT EXISTS (SELECT FROM penstock.budgets s WHERE s.name = b.name AND s.source = 'set')
ORDER BY b.name, b.shape, k.tenant, k.kind, k.flow, k.start
ON CONFLICT DO NOTHING;

-- name: write_windows
UPDATE penstock.budget_windows w SET
    spent = r.spent, reserved = r.reserved, warned_at = r.warned_at, spent_at = r.spent_at
FROM json_to_recordset(:rows::json) AS r(
    budget text, shape text, tenant text, kind text, flow text, start bigint, spent bigint, reserved bigint,
    warned_at bigint, spent_at bigint)
WHERE w.budget = ANY (ARRAY[r.budget]) AND w.shape = ANY (ARRAY[r.shape]) AND w.tenant = ANY (ARRAY[r.tenant])
  AND w.kind = ANY (ARRAY[r.kind]) AND w.flow = ANY (ARRAY[r.flow]) AND w.start = ANY (ARRAY[r.start]);

-- name: open_windows
-- The fullest first, each with the jobs that it holds.
WITH waiting AS (
    SELECT t.budget, t.shape, t.tenant, t.kind, t.flow, t.start, count(*) AS jobs
    FROM penstock.budget_waits t JOIN penstock.jobs j ON j.id = t.job_id
    WHERE NOT t.released AND j.state = 'scheduled' AND j.reason LIKE 'budget %' AND (:name::text IS NULL OR t.budget = :name)
    GROUP BY t.budget, t.shape, t.tenant, t.kind, t.flow, t.start
)
SELECT w.budget, w.shape, w.tenant, w.kind, w.flow, w.start, w.ends_at, w.amount, w.warn_at, w.spent, w.reserved,
       w.warned_at, w.spent_at, coalesce(t.jobs, 0)
FROM penstock.budget_windows w JOIN penstock.budgets b ON b.name = w.budget AND b.shape = w.shape
LEFT JOIN waiting t ON t.budget = w.budget AND t.shape = w.shape AND t.tenant = w.tenant AND t.kind = w.kind
    AND t.flow = w.flow AND t.start = w.start
WHERE (w.ends_at IS NULL OR w.ends_at > :now) AND (:name::text IS NULL OR w.budget = :name)
  AND (b.source = 'set'
       OR NOT EXISTS (SELECT FROM penstock.budgets s WHERE s.name = b.name AND s.source = 'set'))
ORDER BY w.budget, (w.spent + w.reserved) * 1.0 / greatest(w.amount, 1) DESC, w.tenant, w.kind, w.flow LIMIT :limit;

-- name: put_waits
-- Of jobs that wait for a budget, the windows that hold them; written while it is locked, before their runs end.
INSERT INTO penstock.budget_waits (job_id, budget, shape, tenant, kind, flow, start)
SELECT job_id, budget, shape, tenant, kind, flow, start
FROM json_to_recordset(:rows::json) AS r(
    job_id uuid, budget text, shape text, tenant text, kind text, flow text, start bigint)
ORDER BY job_id, budget
ON CONFLICT (job_id, budget) DO UPDATE SET
    shape = excluded.shape, tenant = excluded.tenant, kind = excluded.kind,
    flow = excluded.flow, start = excluded.start, released = false;

-- name: release_waits
UPDATE penstock.budget_waits SET released = true WHERE budget = :name AND NOT released RETURNING job_id;

-- name: wake_budgeted
-- Of these jobs, those that wait for a budget which was changed since it held them.
UPDATE penstock.jobs j SET
    state = 'ready', position = :now - j.priority * coalesce(q.aging_step, :strict_step), due_at = NULL, reason = NULL
FROM penstock.lanes l LEFT JOIN penstock.queues q ON q.name = l.queue
WHERE j.id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid)) AND l.id = j.lane_id
  AND j.state::text = 'scheduled' AND j.reason LIKE 'budget %'
  AND EXISTS (SELECT FROM penstock.budget_waits w WHERE w.job_id = j.id AND w.released)
RETURNING j.id, l.queue;

-- name: drop_waits
DELETE FROM penstock.budget_waits
WHERE job_id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid));

-- name: prune_windows
-- Windows that ended before then, or whose flow is gone, with nothing under way in them.
DELETE FROM penstock.budget_windows w WHERE w.reserved = 0 AND w.ctid = ANY (ARRAY(
    (SELECT ctid FROM penstock.budget_windows
     WHERE ends_at < :before AND ends_at IS NOT NULL AND reserved = 0 ORDER BY ends_at LIMIT :limit)
    UNION ALL
    (SELECT f.ctid FROM penstock.budget_windows f
     WHERE f.flow <> '' AND f.reserved = 0 AND NOT EXISTS (
         SELECT FROM penstock.flows WHERE id = nullif(f.flow, '')::uuid OFFSET 0) LIMIT :limit)))
RETURNING w.budget;
