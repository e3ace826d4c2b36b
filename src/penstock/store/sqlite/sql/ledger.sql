-- name: open_calls
INSERT INTO penstock_calls (
    id, job_id, claim_id, attempt, kind, step, flow_id, tenant, provider, model, tried, input_estimate, output_estimate,
    opened_at, account, limits, budgets)
SELECT json_extract(value, '$.id'), json_extract(value, '$.job'), json_extract(value, '$.claim'),
       json_extract(value, '$.attempt'), json_extract(value, '$.kind'), json_extract(value, '$.step'),
       json_extract(value, '$.flow'), json_extract(value, '$.tenant'), json_extract(value, '$.provider'),
       json_extract(value, '$.model'), json_extract(value, '$.tried'), json_extract(value, '$.input'),
       json_extract(value, '$.output'), json_extract(value, '$.at'), json_extract(value, '$.account'),
       json_extract(value, '$.limits'), json_extract(value, '$.budgets')
FROM json_each(:rows)

-- name: close_calls
-- A call closes once. `was_unknown`: the leader has closed it, and what it came to is known all the same. Sinks are owed
-- what is known for good.
INSERT INTO penstock_usage_owed (sink, call_id, due_at)
SELECT s.name, c.id, json_extract(r.value, '$.at')
FROM penstock_usage_sinks s CROSS JOIN json_each(:rows) r JOIN penstock_calls c ON c.id = json_extract(r.value, '$.id')
WHERE CASE WHEN :was_unknown THEN c.outcome = 'unknown' ELSE c.closed_at IS NULL END
  AND json_extract(r.value, '$.output') IS NOT NULL AND json_extract(r.value, '$.outcome') <> 'unknown'
ON CONFLICT DO NOTHING
;;
UPDATE penstock_calls AS c SET
    closed_at = r.at, outcome = r.outcome, input_tokens = r.input, output_tokens = r.output, cached_tokens = r.cached,
    cost = r.cost
FROM (
    SELECT json_extract(value, '$.id') AS id, json_extract(value, '$.at') AS at,
           json_extract(value, '$.outcome') AS outcome, json_extract(value, '$.input') AS input,
           json_extract(value, '$.output') AS output, json_extract(value, '$.cached') AS cached,
           json_extract(value, '$.cost') AS cost
    FROM json_each(:rows)) AS r
WHERE c.id = r.id AND CASE WHEN :was_unknown THEN c.outcome = 'unknown' ELSE c.closed_at IS NULL END
RETURNING id

-- name: late_answers
-- What a call used that nobody waited for any more; how it ended stays.
INSERT INTO penstock_usage_owed (sink, call_id, due_at)
SELECT s.name, c.id, json_extract(r.value, '$.at')
FROM penstock_usage_sinks s CROSS JOIN json_each(:rows) r JOIN penstock_calls c ON c.id = json_extract(r.value, '$.id')
WHERE c.closed_at IS NOT NULL AND c.output_tokens IS NULL AND json_extract(r.value, '$.output') IS NOT NULL
ON CONFLICT DO NOTHING
;;
UPDATE penstock_calls AS c SET
    input_tokens = r.input, output_tokens = r.output, cached_tokens = r.cached, cost = r.cost
FROM (
    SELECT json_extract(value, '$.id') AS id, json_extract(value, '$.input') AS input,
           json_extract(value, '$.output') AS output, json_extract(value, '$.cached') AS cached,
           json_extract(value, '$.cost') AS cost
    FROM json_each(:rows)) AS r
WHERE c.id = r.id AND c.closed_at IS NOT NULL AND c.output_tokens IS NULL
RETURNING id

-- name: withdraw_calls
-- Let through, but given up before they were made.
DELETE FROM penstock_calls WHERE id IN (SELECT value FROM json_each(:ids)) AND closed_at IS NULL
RETURNING id

-- name: lost_calls
-- Open calls whose run no longer holds its job, or that no job made and that are too old to be on their way.
SELECT c.id, c.provider, c.model, c.input_estimate, c.output_estimate, c.account, c.limits, c.budgets FROM penstock_calls c
WHERE c.closed_at IS NULL AND c.opened_at < :before AND (
    CASE WHEN c.job_id IS NULL THEN c.opened_at < :ownerless_before
         ELSE NOT EXISTS (SELECT 1 FROM penstock_jobs j WHERE j.id = c.job_id AND j.claim_id = c.claim_id) END)
ORDER BY c.opened_at LIMIT :limit

-- name: calls_of_job
SELECT id, step, attempt, provider, model, tried, opened_at, closed_at, outcome, input_tokens, output_tokens,
       cached_tokens, cost
FROM penstock_calls WHERE job_id = :job_id ORDER BY opened_at, id

-- name: usage
-- Retries: calls that a step (or a job outside of its steps) made after its first one. Saved: what later attempts would
-- have paid again for steps that were done before them.
WITH chosen AS (
    SELECT c.*,
           row_number() OVER (PARTITION BY c.job_id, coalesce(c.step, '') ORDER BY c.opened_at, c.id) AS nth,
           max(j.attempt - c.attempt, 0) AS spared
    FROM penstock_calls c LEFT JOIN penstock_jobs j ON j.id = c.job_id AND c.step IS NOT NULL AND c.outcome = 'answered'
    WHERE c.opened_at >= :since AND c.opened_at < :until
      AND (:tenant IS NULL OR c.tenant = :tenant) AND (:kind IS NULL OR c.kind = :kind)
      AND (:flow_id IS NULL OR c.flow_id = :flow_id) AND (:job_id IS NULL OR c.job_id = :job_id)
), named AS (
    SELECT *, CASE :by WHEN 'tenant' THEN tenant WHEN 'kind' THEN kind WHEN 'step' THEN step WHEN 'model' THEN model
                       WHEN 'provider' THEN provider WHEN 'outcome' THEN coalesce(outcome, 'open')
                       WHEN 'job' THEN job_id WHEN 'flow' THEN flow_id
                       WHEN 'day' THEN strftime('%Y-%m-%d', opened_at / 1000000, 'unixepoch')
                       WHEN 'hour' THEN strftime('%Y-%m-%d %H:00', opened_at / 1000000, 'unixepoch')
           END AS name
    FROM chosen
)
SELECT name, count(*), count(*) FILTER (WHERE outcome IS NULL), count(*) FILTER (WHERE outcome <> 'answered'),
       coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0), coalesce(sum(cached_tokens), 0),
       coalesce(sum(cost), 0), count(*) FILTER (WHERE closed_at IS NOT NULL AND cost IS NULL),
       coalesce(sum(cost) FILTER (WHERE job_id IS NOT NULL AND nth > 1), 0),
       coalesce(sum(cost * spared), 0),
       coalesce(sum(closed_at - opened_at) FILTER (WHERE closed_at IS NOT NULL), 0)
FROM named GROUP BY name ORDER BY coalesce(sum(cost), 0) DESC, count(*) DESC, name LIMIT :limit
