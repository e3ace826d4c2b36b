-- name: declare_sink
INSERT INTO penstock_usage_sinks (name, since) VALUES (:name, :now) ON CONFLICT (name) DO NOTHING

-- name: take_owed
-- Due again when its sender must be gone: whoever takes it up then sends it again under the same id.
UPDATE penstock_usage_owed SET due_at = :until, tries = tries + 1, unsure_since = coalesce(unsure_since, :now)
WHERE sink = :sink AND call_id IN (
    SELECT call_id FROM penstock_usage_owed WHERE sink = :sink AND due_at <= :now AND refused_at IS NULL
    ORDER BY due_at LIMIT :limit)
RETURNING call_id, tries, unsure_since

-- name: metered_calls
SELECT id, provider, model, outcome, opened_at, closed_at, input_tokens, output_tokens, cached_tokens, cost, tenant, kind,
       flow_id, job_id, step, attempt
FROM penstock_calls WHERE id IN (SELECT value FROM json_each(:ids)) ORDER BY closed_at, id

-- name: pay_owed
DELETE FROM penstock_usage_owed WHERE sink = :sink AND call_id IN (SELECT value FROM json_each(:ids))

-- name: put_owed
-- Unless another sender has taken it up meanwhile.
UPDATE penstock_usage_owed AS o SET
    due_at = r.due_at, unsure_since = r.unsure_since, problem = r.problem, refused_at = r.refused_at
FROM (
    SELECT json_extract(value, '$.sink') AS sink, json_extract(value, '$.call_id') AS call_id,
           json_extract(value, '$.due_at') AS due_at, json_extract(value, '$.unsure_since') AS unsure_since,
           json_extract(value, '$.problem') AS problem, json_extract(value, '$.refused_at') AS refused_at
    FROM json_each(:rows)) AS r
WHERE o.call_id = r.call_id AND o.sink = r.sink AND o.due_at = :until

-- name: list_sinks
SELECT s.name, s.since, count(o.call_id) FILTER (WHERE o.refused_at IS NULL),
       min(c.closed_at) FILTER (WHERE o.refused_at IS NULL), count(o.refused_at),
       (SELECT p.problem FROM penstock_usage_owed p WHERE p.sink = s.name AND p.problem IS NOT NULL
        ORDER BY coalesce(p.refused_at, 0) DESC, p.due_at DESC LIMIT 1)
FROM penstock_usage_sinks s LEFT JOIN penstock_usage_owed o ON o.sink = s.name
LEFT JOIN penstock_calls c ON c.id = o.call_id
GROUP BY s.name, s.since ORDER BY s.name

-- name: refused_calls
SELECT o.call_id, o.problem, o.refused_at FROM penstock_usage_owed o
WHERE o.sink = :sink AND o.refused_at IS NOT NULL ORDER BY o.refused_at, o.call_id LIMIT :limit

-- name: retry_refused
UPDATE penstock_usage_owed SET due_at = :now, unsure_since = NULL, refused_at = NULL
WHERE sink = :sink AND refused_at IS NOT NULL RETURNING call_id

-- name: drop_refused
DELETE FROM penstock_usage_owed WHERE sink = :sink AND refused_at IS NOT NULL RETURNING call_id

-- name: forget_sink
DELETE FROM penstock_usage_owed WHERE sink = :sink
;;
DELETE FROM penstock_usage_sinks WHERE name = :sink RETURNING name

-- name: prune_calls
-- Calls that have ended and that no sink is owed any more, the oldest first.
DELETE FROM penstock_calls WHERE id IN (
    SELECT c.id FROM penstock_calls c INDEXED BY penstock_calls_opened
    WHERE c.opened_at < :before AND c.closed_at IS NOT NULL
      AND NOT EXISTS (
          SELECT 1 FROM penstock_usage_owed o JOIN penstock_usage_sinks s ON s.name = o.sink WHERE o.call_id = c.id)
    ORDER BY c.opened_at LIMIT :limit)
RETURNING id
