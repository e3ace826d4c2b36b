-- name: tables
-- A small hot row beside a wide cold one: a claim updates the hot row, an end deletes it and updates the cold row.
CREATE TABLE jobs (
    id                uuid PRIMARY KEY,
    lane_id           integer NOT NULL,
    priority          smallint NOT NULL DEFAULT 0,
    max_attempts      smallint NOT NULL,
    has_children      boolean NOT NULL DEFAULT false,
    created_at        bigint NOT NULL,
    deadline_at       bigint,
    when_parents      text CHECK (when_parents IN ('all_completed', 'all_ended', 'any_completed')),
    flow_id           uuid,
    concurrency_limit smallint,
    concurrency_key   text,
    unique_key        text,
    state             smallint,
    attempt           smallint,
    losses            smallint,
    worker_id         integer,
    claimed_at        bigint,
    started_at        bigint,
    finished_at       bigint,
    unmet_parent      uuid,
    reason            text,
    data              json NOT NULL,
    options           json
) WITH (fillfactor = 80);
CREATE INDEX jobs_flow ON jobs (flow_id) WHERE flow_id IS NOT NULL;
CREATE TABLE hot (
    id                  uuid PRIMARY KEY,
    lane_id             integer NOT NULL,
    state               smallint NOT NULL DEFAULT 2,
    priority            smallint NOT NULL DEFAULT 0,
    attempt             smallint NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    losses              smallint NOT NULL DEFAULT 0,
    position            bigint NOT NULL,
    due_at              bigint,
    claim_id            bigint,
    worker_id           integer,
    claimed_at          bigint,
    cancel_requested_at bigint,
    open_parents        integer NOT NULL DEFAULT 0 CHECK (open_parents >= 0),
    completed_parents   integer NOT NULL DEFAULT 0,
    failed_parents      integer NOT NULL DEFAULT 0,
    reason              text,
    CHECK ((state = 3) = (claim_id IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX hot_claim ON hot (lane_id, position) WHERE state = 2;
CREATE INDEX hot_held ON hot (worker_id) WHERE state = 3;
CREATE INDEX hot_due ON hot (due_at) WHERE state = 1;
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;

-- name: copy_jobs
COPY jobs (id, lane_id, created_at, max_attempts, data) FROM STDIN

-- name: copy_hot
COPY hot (id, lane_id, position) FROM STDIN

-- name: claim
WITH taken AS MATERIALIZED (
    SELECT ctid AS place FROM hot
    WHERE lane_id = 1 AND state = 2 AND position > %(after)s::bigint
    ORDER BY position LIMIT %(limit)s::integer FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE hot SET state = 3, claim_id = %(claim)s::bigint, worker_id = 1, claimed_at = %(now)s::bigint
    WHERE ctid = ANY (ARRAY(SELECT place FROM taken))
    RETURNING id, position, attempt
)
SELECT c.id, c.position, c.attempt, j.data FROM claimed c JOIN jobs j ON j.id = ANY (ARRAY[c.id])

-- name: complete
WITH rows AS MATERIALIZED (
    SELECT *, %(claim)s::bigint AS claim
    FROM unnest(%(ids)s::uuid[], %(attempts)s::smallint[], %(starts)s::bigint[]) AS r(id, attempt, started)
), gone AS (
    DELETE FROM hot h
    USING rows r
    WHERE h.id = ANY (ARRAY[r.id]) AND h.claim_id = r.claim
    RETURNING h.id, r.attempt, h.losses, h.worker_id, h.claimed_at, r.started
)
UPDATE jobs j SET
    state = 4, attempt = g.attempt, losses = g.losses, worker_id = g.worker_id, claimed_at = g.claimed_at,
    started_at = g.started, finished_at = %(now)s::bigint
FROM gone g WHERE j.id = ANY (ARRAY[g.id])

-- name: finished
INSERT INTO jobs (
    id, lane_id, created_at, max_attempts, data, state, attempt, losses, worker_id, claimed_at, started_at, finished_at)
SELECT lpad(to_hex(n), 32, '0')::uuid, 1, n, 5, %(data)s::json, 4, 1, 0, 1, n, n, n
FROM generate_series(1, %(count)s::integer) n

-- name: readable
SELECT count(*) FROM jobs WHERE state = 4 AND attempt = 1 AND claimed_at > 0 AND started_at > 0 AND finished_at > 0
