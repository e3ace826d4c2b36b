-- name: tables
-- In place, and no index knows of a claim or an end: the claim index holds every job for ever and is entered at a lasting
-- mark (here: the hint). Both writes are heap-only updates. Retention has to go by age of the job, not of its end.
CREATE TYPE job_state AS ENUM ('blocked', 'scheduled', 'ready', 'running', 'completed', 'failed', 'cancelled');
CREATE TABLE jobs (
    id                  uuid PRIMARY KEY,
    lane_id             integer NOT NULL,
    state               job_state NOT NULL DEFAULT 'ready',
    priority            smallint NOT NULL DEFAULT 0,
    attempt             smallint NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    max_attempts        smallint NOT NULL,
    losses              smallint NOT NULL DEFAULT 0,
    has_children        boolean NOT NULL DEFAULT false,
    position            bigint NOT NULL,
    created_at          bigint NOT NULL,
    due_at              bigint,
    claim_id            bigint,
    worker_id           integer,
    claimed_at          bigint,
    started_at          bigint,
    finished_at         bigint,
    cancel_requested_at bigint,
    deadline_at         bigint,
    open_parents        integer NOT NULL DEFAULT 0 CHECK (open_parents >= 0),
    completed_parents   integer NOT NULL DEFAULT 0,
    failed_parents      integer NOT NULL DEFAULT 0,
    when_parents        text CHECK (when_parents IN ('all_completed', 'all_ended', 'any_completed')),
    flow_id             uuid,
    unmet_parent        uuid,
    concurrency_limit   smallint,
    concurrency_key     text,
    unique_key          text,
    reason              text,
    data                json NOT NULL,
    options             json,
    CHECK ((state = 'running') = (claim_id IS NOT NULL)),
    CHECK ((state IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CHECK (state <> 'scheduled' OR due_at IS NOT NULL OR reason = 'concurrency'),
    CHECK (state <> 'blocked' OR when_parents IS NOT NULL)
) WITH (fillfactor = 50);
CREATE INDEX jobs_claim ON jobs (lane_id, position);
CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX jobs_flow ON jobs (flow_id) WHERE flow_id IS NOT NULL;
CREATE INDEX jobs_unmet ON jobs (unmet_parent) WHERE unmet_parent IS NOT NULL;
CREATE INDEX jobs_deadline ON jobs (deadline_at) WHERE deadline_at IS NOT NULL;
CREATE INDEX jobs_concurrency ON jobs (concurrency_key, position)
    WHERE concurrency_key IS NOT NULL;

-- name: copy_jobs
COPY jobs (id, lane_id, position, created_at, max_attempts, data) FROM STDIN

-- name: claim
WITH taken AS MATERIALIZED (
    SELECT ctid AS place FROM jobs
    WHERE lane_id = 1 AND state = 'ready' AND position > %(after)s::bigint
    ORDER BY position LIMIT %(limit)s::integer FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET state = 'running', claim_id = %(claim)s::bigint, worker_id = 1, claimed_at = %(now)s::bigint
WHERE ctid = ANY (ARRAY(SELECT place FROM taken)) AND state::text = 'ready'
RETURNING id, position, attempt, data

-- name: complete
WITH rows AS MATERIALIZED (
    SELECT *, %(claim)s::bigint AS claim
    FROM unnest(%(ids)s::uuid[], %(attempts)s::smallint[], %(starts)s::bigint[]) AS r(id, attempt, started)
)
UPDATE jobs j SET
    state = 'completed', finished_at = %(now)s::bigint, claim_id = NULL, attempt = r.attempt, started_at = r.started
FROM rows r
WHERE j.id = ANY (ARRAY[r.id]) AND j.claim_id = r.claim

-- name: finished
INSERT INTO jobs (
    id, lane_id, state, position, created_at, max_attempts, attempt, worker_id, claimed_at, started_at, finished_at, data)
SELECT lpad(to_hex(n), 32, '0')::uuid, 1, 'completed', n, n, 5, 1, 1, n, n, n, %(data)s::json
FROM generate_series(1, %(count)s::integer) n

-- name: readable
SELECT count(*) FROM jobs
WHERE state = 'completed' AND attempt = 1 AND claimed_at > 0 AND started_at > 0 AND finished_at > 0
