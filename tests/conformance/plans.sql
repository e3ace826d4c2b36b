-- A long history and a long backlog: 1,000,000 ended jobs; 100,000 ready ones of a kind that no worker here knows, ahead
-- of 100,000 of known kinds; 20,000 scheduled (half of them due), 20,000 blocked, 1,000 running; 300,000 events; the
-- streams of 50,000 ended jobs and of the running ones, which half of these have from an earlier run.
-- The time is 10,000,000.
SET synchronous_commit = off;

CREATE FUNCTION job_id(number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    AS $$ SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid $$;
CREATE FUNCTION flow_id(number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    AS $$ SELECT ('01900000-0000-7000-9000-' || lpad(to_hex(number), 12, '0'))::uuid $$;

INSERT INTO penstock.queues (name) VALUES ('q'), ('r');
INSERT INTO penstock.lanes (id, queue, kind) OVERRIDING SYSTEM VALUE VALUES
    (1, 'q', 'unknown'), (2, 'q', 'work'), (3, 'q', 'other'), (4, 'r', 'work');

INSERT INTO penstock.jobs (
    id, lane_id, state, max_attempts, position, created_at, finished_at, flow_id, has_children, data)
SELECT job_id(n), 2 + n % 3, (CASE WHEN n % 20 = 0 THEN 'failed' ELSE 'completed' END)::penstock.job_state, 5, n, n,
       n + 1000, CASE WHEN n % 10 = 0 THEN flow_id(n / 50) END, n % 50 = 0, '{"n": 1}'
FROM generate_series(1, 1000000) n;

INSERT INTO penstock.jobs (id, lane_id, state, max_attempts, position, created_at, data)
SELECT job_id(2000000 + n), 1, 'ready', 5, n, n, '{"n": 1}' FROM generate_series(1, 100000) n;

INSERT INTO penstock.jobs (id, lane_id, state, max_attempts, position, created_at, deadline_at, data)
SELECT job_id(3000000 + n), 2 + n % 3, 'ready', 5, 2000000 + n, n,
       CASE WHEN n % 10 = 0 THEN 10000000 - 10000 + n END, '{"n": 1}'
FROM generate_series(1, 100000) n;

INSERT INTO penstock.jobs (id, lane_id, state, max_attempts, position, created_at, due_at, reason, data)
SELECT job_id(4000000 + n), 2, 'scheduled', 5, n, n, 10000000 - 10000 + n, 'delay', '{}' FROM generate_series(1, 20000) n;

INSERT INTO penstock.jobs (
    id, lane_id, state, max_attempts, position, created_at, open_parents, when_parents, flow_id, data)
SELECT job_id(5000000 + n), 2, 'blocked', 5, n, n, 5, 'all_completed', flow_id(50000 + n / 10), '{}'
FROM generate_series(1, 20000) n;

INSERT INTO penstock.jobs (
    id, lane_id, state, max_attempts, position, created_at, claim_id, worker_id, claimed_at, has_children, flow_id,
    cancel_requested_at, concurrency_key, concurrency_limit, data)
SELECT job_id(6000000 + n), 2, 'running', 5, n, n, 42, 1 + n % 4, n, true, flow_id(50000 + n / 10),
       CASE WHEN n % 100 = 0 THEN n END, 'key' || n % 10, 1, '{}'
FROM generate_series(1, 1000) n;

INSERT INTO penstock.edges (parent_id, child_id)
SELECT job_id(6000001 + (n + p * 211) % 1000), job_id(5000000 + n)
FROM generate_series(1, 20000) n, generate_series(1, 5) p;
INSERT INTO penstock.edges (parent_id, child_id)
SELECT job_id(n * 50), job_id(n * 50 + 1) FROM generate_series(1, 19999) n;

INSERT INTO penstock.flows (id, name, total, completed, created_at, finished_at)
SELECT flow_id(n), 'f', 5, 5, n, n FROM generate_series(0, 20000) n;
INSERT INTO penstock.flows (id, name, total, open, created_at)
SELECT flow_id(50000 + n), 'f', 20, 20, n FROM generate_series(0, 2000) n;

INSERT INTO penstock.events (position, stream, type, subject, data, at)
SELECT n, 's' || n % 3, 't' || n % 5, 'subject' || n / 30, '{}', n FROM generate_series(1, 300000) n;
INSERT INTO penstock.events (stream, type, subject, data, at)
SELECT 's', 't', 'subject', '{}', n FROM generate_series(1, 1000) n;
UPDATE penstock.log_head SET position = 300000;

INSERT INTO penstock.streams (job_id, name, version, claim_id, part, attempt, length, cut, at)
SELECT job_id(n), 'plan', 1, CASE WHEN n % 2 = 0 THEN 42 ELSE 41 END, 0, 1, 15, false, n
FROM (SELECT generate_series(1, 50000) UNION ALL SELECT generate_series(6000001, 6001000)) numbers(n);
INSERT INTO penstock.stream_chunks (job_id, name, version, start, text)
SELECT s.job_id, 'plan', 1, 3 * c, 'abc' FROM penstock.streams s, generate_series(0, 4) c;

INSERT INTO penstock.calls (
    id, provider, model, tried, opened_at, closed_at, outcome, input_tokens, output_tokens, cost, tenant, kind)
SELECT job_id(n), 'p', 'm', 1, n, n + 1, 'answered', 1, 1, 1, 't' || n % 1000, 'work' FROM generate_series(1, 200000) n;
INSERT INTO penstock.calls (id, provider, model, tried, opened_at, tenant, kind)
SELECT job_id(200000 + n), 'p', 'm', 1, n, 't', 'work' FROM generate_series(1, 200) n;
INSERT INTO penstock.usage_sinks (name, since) VALUES ('stripe', 0), ('other', 0);
INSERT INTO penstock.usage_owed (sink, call_id, due_at, refused_at)
SELECT 'stripe', job_id(n), n, CASE WHEN n % 2 = 0 THEN n END FROM generate_series(150001, 200000) n;
INSERT INTO penstock.budgets (name, source, unit, amount, tenant, tz, shape, changed_at)
VALUES ('each', 'code', 'tokens', 100, '*', 'UTC', 'shape', 0);
INSERT INTO penstock.budget_windows (budget, shape, tenant, kind, flow, start, ends_at, amount)
SELECT 'each', 'shape', 't' || n % 1000, '', '', n / 1000, n / 1000 + 1, 100 FROM generate_series(0, 99999) n;
INSERT INTO penstock.budget_waits (job_id, budget, shape, tenant, kind, flow, start, released)
SELECT job_id(4000000 + n), 'each', 'shape', 't', '', '', 0, n % 2 = 0 FROM generate_series(1, 10000) n;
