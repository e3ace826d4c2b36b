-- name: open_calls
INSERT INTO penstock.calls (
    id, job_id, claim_id, attempt, kind, step, flow_id, tenant, provider, model, tried, input_estimate, output_estimate,
    opened_at, account, limits, budgets)
SELECT id, job, claim, attempt, kind, step, flow, tenant, provider, model, tried, input, output, at, account, limits,
       budgets
FROM json_to_recordset(:rows::json) AS c(
    id uuid, job uuid, claim bigint, attempt smallint, kind text, step text, flow uuid, tenant text, provider text,
    model text, tried smallint, input integer, output integer, at bigint, account text, limits json,
    budgets json);

-- name: close_calls
-- A call closes once. `was_unknown`: the leader has closed it, and what it came to is known all the same. Sinks are owed
-- what is known for good. `num_nulls`, so that the index of all open calls does not offer itself.
WITH ended AS (
    UPDATE penstock.calls c SET
        closed_at = r.at, outcome = r.outcome, input_tokens = r.input, output_tokens = r.output,
        cached_tokens = r.cached, cost = r.cost
    FROM json_to_recordset(:rows::json) AS r(
        id uuid, at bigint, outcome text, input integer, output integer, cached integer, cost bigint)
    WHERE c.id = ANY (ARRAY[r.id])
      AND CASE WHEN :was_unknown THEN c.outcome = 'unknown' ELSE num_nulls(c.closed_at) = 1 END
    RETURNING c.id, c.closed_at, c.outcome, c.output_tokens
), owed AS (
    INSERT INTO penstock.usage_owed (sink, call_id, due_at)
    SELECT s.name, e.id, e.closed_at FROM penstock.usage_sinks s CROSS JOIN ended e
    WHERE e.output_tokens IS NOT NULL AND e.outcome <> 'unknown'
    ON CONFLICT DO NOTHING
)
SELECT id FROM ended;

-- name: late_answers
-- What a call used that nobody waited for any more; how it ended stays.
WITH known AS (
    UPDATE penstock.calls c SET
        input_tokens = r.input, output_tokens = r.output, cached_tokens = r.cached, cost = r.cost
    FROM json_to_recordset(:rows::json) AS r(
        id uuid, at bigint, input integer, output integer, cached integer, cost bigint)
    WHERE c.id = ANY (ARRAY[r.id]) AND c.closed_at IS NOT NULL AND c.output_tokens IS NULL
    RETURNING c.id, c.output_tokens, r.at
), owed AS (
    INSERT INTO penstock.usage_owed (sink, call_id, due_at)
    SELECT s.name, k.id, k.at FROM penstock.usage_sinks s CROSS JOIN known k WHERE k.output_tokens IS NOT NULL
    ON CONFLICT DO NOTHING
)
SELECT id FROM known;

-- name: withdraw_calls
-- Let through, but given up before they were made.
DELETE FROM penstock.calls
WHERE id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json)::uuid)) AND closed_at IS NULL
RETURNING id;

-- name: lost_calls
-- Open calls whose run no longer holds its job, or that no job made and that are too old to be on their way.
SELECT c.id, c.provider, c.model, c.input_estimate, c.output_estimate, c.account, c.limits, c.budgets FROM penstock.calls c
WHERE c.closed_at IS NULL AND c.opened_at < :before AND (
    CASE WHEN c.job_id IS NULL THEN c.opened_at < :ownerless_before
         ELSE NOT EXISTS (SELECT FROM penstock.jobs j WHERE j.id = c.job_id AND j.claim_id = c.claim_id) END)
ORDER BY c.opened_at LIMIT :limit;

-- name: calls_of_job
SELECT id, step, attempt, provider, model, tried, opened_at, closed_at, outcome, input_tokens, output_tokens,
       cached_tokens, cost
FROM penstock.calls WHERE job_id = :job_id ORDER BY opened_at, id;

-- name: usage
-- Retries: calls that a step (or a job outside of its steps) made after its first one. Saved: what later attempts would
-- have paid again for steps that were done before them.
WITH chosen AS (
    SELECT c.*,
           row_number() OVER (PARTITION BY c.job_id, coalesce(c.step, '') ORDER BY c.opened_at, c.id) AS nth,
           greatest(j.attempt - c.attempt, 0) AS spared
    FROM penstock.calls c LEFT JOIN penstock.jobs j ON j.id = c.job_id AND c.step IS NOT NULL AND c.outcome = 'answered'
    WHERE c.opened_at >= :since AND c.opened_at < :until
      AND (:tenant::text IS NULL OR c.tenant = :tenant) AND (:kind::text IS NULL OR c.kind = :kind)
      AND (:flow_id::uuid IS NULL OR c.flow_id = :flow_id::uuid) AND (:job_id::uuid IS NULL OR c.job_id = :job_id::uuid)
), named AS (
    SELECT *, CASE :by WHEN 'tenant' THEN tenant WHEN 'kind' THEN kind WHEN 'step' THEN step WHEN 'model' THEN model
                       WHEN 'provider' THEN provider WHEN 'outcome' THEN coalesce(outcome, 'open')
                       WHEN 'job' THEN job_id::text WHEN 'flow' THEN flow_id::text
                       WHEN 'day' THEN to_char(to_timestamp(opened_at / 1000000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD')
                       WHEN 'hour' THEN to_char(to_timestamp(opened_at / 1000000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:00')
           END AS name
    FROM chosen
)
SELECT name, count(*), count(*) FILTER (WHERE outcome IS NULL), count(*) FILTER (WHERE outcome <> 'answered'),
       coalesce(sum(input_tokens), 0)::bigint, coalesce(sum(output_tokens), 0)::bigint,
       coalesce(sum(cached_tokens), 0)::bigint, coalesce(sum(cost), 0)::bigint,
       count(*) FILTER (WHERE closed_at IS NOT NULL AND cost IS NULL),
       coalesce(sum(cost) FILTER (WHERE job_id IS NOT NULL AND nth > 1), 0)::bigint,
       coalesce(sum(cost * spared), 0)::bigint,
       coalesce(sum((closed_at - opened_at)) FILTER (WHERE closed_at IS NOT NULL), 0)::bigint
FROM named GROUP BY name ORDER BY coalesce(sum(cost), 0) DESC, count(*) DESC, name LIMIT :limit;
