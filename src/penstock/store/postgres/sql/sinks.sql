-- name: declare_sink
INSERT INTO penstock.usage_sinks (name, since) VALUES (:name, :now) ON CONFLICT (name) DO NOTHING;

-- name: take_owed
-- Due again when its sender must be gone: whoever takes it up then sends it again under the same id.
UPDATE penstock.usage_owed o SET due_at = :until, tries = o.tries + 1, unsure_since = coalesce(o.unsure_since, :now)
WHERE o.sink = :sink AND o.call_id = ANY (ARRAY(
    SELECT call_id FROM penstock.usage_owed WHERE sink = :sink AND due_at <= :now AND refused_at IS NULL
    ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED))
RETURNING o.call_id, o.tries, o.unsure_since;

-- name: metered_calls
SELECT id, provider, model, outcome, opened_at, closed_at, input_tokens, output_tokens, cached_tokens, cost, tenant, kind,
       flow_id, job_id, step, attempt
FROM penstock.calls WHERE id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid)) ORDER BY closed_at, id;

-- name: pay_owed
DELETE FROM penstock.usage_owed
WHERE sink = :sink AND call_id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid));

-- name: put_owed
-- Unless another sender has taken it up meanwhile. One look-up for each row, as in budgets.sql.
UPDATE penstock.usage_owed o SET
    due_at = r.due_at, unsure_since = r.unsure_since, problem = r.problem, refused_at = r.refused_at
FROM json_to_recordset(:rows::json) AS r(
    sink text, call_id uuid, due_at bigint, unsure_since bigint, problem text, refused_at bigint)
WHERE o.call_id = ANY (ARRAY[r.call_id]) AND o.sink = ANY (ARRAY[r.sink]) AND o.due_at = :until;

-- name: list_sinks
SELECT s.name, s.since, count(o.call_id) FILTER (WHERE o.refused_at IS NULL),
       min(c.closed_at) FILTER (WHERE o.refused_at IS NULL), count(o.refused_at),
       (SELECT p.problem FROM penstock.usage_owed p WHERE p.sink = s.name AND p.problem IS NOT NULL
        ORDER BY coalesce(p.refused_at, 0) DESC, p.due_at DESC LIMIT 1)
FROM penstock.usage_sinks s LEFT JOIN penstock.usage_owed o ON o.sink = s.name
LEFT JOIN penstock.calls c ON c.id = o.call_id
GROUP BY s.name, s.since ORDER BY s.name;

-- name: refused_calls
SELECT o.call_id, o.problem, o.refused_at FROM penstock.usage_owed o
WHERE o.sink = :sink AND o.refused_at IS NOT NULL ORDER BY o.refused_at, o.call_id LIMIT :limit;

-- name: retry_refused
UPDATE penstock.usage_owed SET due_at = :now, unsure_since = NULL, refused_at = NULL
WHERE sink = :sink AND refused_at IS NOT NULL RETURNING call_id;

-- name: drop_refused
DELETE FROM penstock.usage_owed WHERE sink = :sink AND refused_at IS NOT NULL RETURNING call_id;

-- name: forget_sink
WITH gone AS (DELETE FROM penstock.usage_owed WHERE sink = :sink)
DELETE FROM penstock.usage_sinks WHERE name = :sink RETURNING name;

-- name: prune_calls
-- Calls that have ended and that no sink is owed any more, the oldest first.
DELETE FROM penstock.calls WHERE id = ANY (ARRAY(
    SELECT c.id FROM penstock.calls c
    WHERE c.opened_at < :before AND c.closed_at IS NOT NULL
      AND NOT EXISTS (
          SELECT FROM penstock.usage_owed o JOIN penstock.usage_sinks s ON s.name = o.sink WHERE o.call_id = c.id OFFSET 0)
    ORDER BY c.opened_at LIMIT :limit))
RETURNING id;
