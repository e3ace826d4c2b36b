-- name: tables
-- The whole row moves: a claim from `ready` to `running`, an end from `running` to `finished`, which is only appended to.
CREATE TABLE ready (
    id                uuid PRIMARY KEY,
    lane_id           integer NOT NULL,
    priority          smallint NOT NULL DEFAULT 0,
    attempt           smallint NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    max_attempts      smallint NOT NULL,
    losses            smallint NOT NULL DEFAULT 0,
    has_children      boolean NOT NULL DEFAULT false,
    position          bigint NOT NULL,
    created_at        bigint NOT NULL,
    deadline_at       bigint,
    flow_id           uuid,
    concurrency_limit smallint,
    concurrency_key   text,
    unique_key        text,
    data              json NOT NULL,
    options           json
);
CREATE INDEX ready_claim ON ready (lane_id, position);
CREATE TABLE running (
    LIKE ready,
    claim_id            bigint NOT NULL,
    worker_id           integer NOT NULL,
    claimed_at          bigint NOT NULL,
    cancel_requested_at bigint,
    PRIMARY KEY (id)
);
CREATE INDEX running_held ON running (worker_id);
CREATE TABLE finished (
    LIKE running,
    state        smallint NOT NULL,
    started_at   bigint,
    finished_at  bigint NOT NULL,
    unmet_parent uuid,
    reason       text,
    PRIMARY KEY (id)
);
ALTER TABLE finished ALTER claim_id DROP NOT NULL;
CREATE INDEX finished_at ON finished (finished_at);

-- name: copy_ready
COPY ready (id, lane_id, position, created_at, max_attempts, data) FROM STDIN

-- name: claim
WITH taken AS MATERIALIZED (
    SELECT ctid AS place FROM ready
    WHERE lane_id = 1 AND position > %(after)s::bigint
    ORDER BY position LIMIT %(limit)s::integer FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM ready WHERE ctid = ANY (ARRAY(SELECT place FROM taken)) RETURNING *
)
INSERT INTO running SELECT gone.*, %(claim)s::bigint, 1, %(now)s::bigint FROM gone
RETURNING id, position, attempt, data

-- name: complete
WITH rows AS MATERIALIZED (
    SELECT *, %(claim)s::bigint AS claim
    FROM unnest(%(ids)s::uuid[], %(attempts)s::smallint[], %(starts)s::bigint[]) AS r(id, attempt, started)
), gone AS (
    DELETE FROM running h
    USING rows r
    WHERE h.id = ANY (ARRAY[r.id]) AND h.claim_id = r.claim
    RETURNING h.*, r.attempt AS counted, r.started
)
INSERT INTO finished (
    id, lane_id, priority, attempt, max_attempts, losses, has_children, position, created_at, deadline_at, flow_id,
    concurrency_limit, concurrency_key, unique_key, data, options, worker_id, claimed_at, state, started_at, finished_at)
SELECT
    id, lane_id, priority, counted, max_attempts, losses, has_children, position, created_at, deadline_at, flow_id,
    concurrency_limit, concurrency_key, unique_key, data, options, worker_id, claimed_at, 4, started, %(now)s::bigint
FROM gone

-- name: finished
INSERT INTO finished (
    id, lane_id, priority, attempt, max_attempts, losses, has_children, position, created_at, data, worker_id, claimed_at,
    state, started_at, finished_at)
SELECT lpad(to_hex(n), 32, '0')::uuid, 1, 0, 1, 5, 0, false, n, n, %(data)s::json, 1, n, 4, n, n
FROM generate_series(1, %(count)s::integer) n

-- name: readable
SELECT count(*) FROM finished WHERE state = 4 AND attempt = 1 AND claimed_at > 0 AND started_at > 0 AND finished_at > 0
