-- name: tables
-- One row a job, updated in place; its data beside it, as in the engine.
CREATE TABLE jobs (
    id                  text PRIMARY KEY,
    lane_id             integer NOT NULL,
    state               text NOT NULL DEFAULT 'ready'
        CHECK (state IN ('blocked', 'scheduled', 'ready', 'running', 'completed', 'failed', 'cancelled')),
    priority            integer NOT NULL DEFAULT 0,
    attempt             integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    max_attempts        integer NOT NULL,
    losses              integer NOT NULL DEFAULT 0,
    has_children        integer NOT NULL DEFAULT 0,
    position            integer NOT NULL,
    created_at          integer NOT NULL,
    due_at              integer,
    claim_id            integer,
    worker_id           integer,
    claimed_at          integer,
    started_at          integer,
    finished_at         integer,
    cancel_requested_at integer,
    deadline_at         integer,
    open_parents        integer NOT NULL DEFAULT 0 CHECK (open_parents >= 0),
    flow_id             text,
    concurrency_key     text,
    reason              text,
    CHECK ((state = 'running') = (claim_id IS NOT NULL)),
    CHECK ((state IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
);
CREATE TABLE job_data (job_id text PRIMARY KEY, data text NOT NULL);
CREATE INDEX jobs_claim ON jobs (lane_id, position) WHERE state = 'ready';
CREATE INDEX jobs_held ON jobs (worker_id, claim_id) WHERE state = 'running';
CREATE INDEX jobs_due ON jobs (due_at) WHERE state = 'scheduled';
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_flow ON jobs (flow_id) WHERE flow_id IS NOT NULL;
CREATE INDEX jobs_concurrency ON jobs (concurrency_key, position)
    WHERE concurrency_key IS NOT NULL AND state IN ('scheduled', 'running');

-- name: insert
INSERT INTO job_data (job_id, data) VALUES (:id, :data)
;;
INSERT INTO jobs (id, lane_id, position, created_at, max_attempts)
VALUES (:id, :lane_id, :position, :created_at, :max_attempts)

-- name: claim
UPDATE jobs SET state = 'running', claim_id = :claim, worker_id = 1, claimed_at = :now
WHERE rowid IN (SELECT rowid FROM jobs WHERE lane_id = 1 AND state = 'ready' ORDER BY position LIMIT :limit)

-- name: claimed
SELECT j.id, j.position, j.attempt, d.data FROM jobs j CROSS JOIN job_data d ON d.job_id = j.id
WHERE j.state = 'running' AND j.worker_id = 1 AND j.claim_id = :claim

-- name: complete
UPDATE jobs AS j SET
    state = 'completed', finished_at = :now, claim_id = NULL, attempt = r.attempt, started_at = r.started
FROM (SELECT value ->> 0 AS id, value ->> 1 AS attempt, value ->> 2 AS started FROM json_each(:rows)) AS r
WHERE j.id = r.id AND j.claim_id = :claim

-- name: readable
SELECT count(*) FROM jobs WHERE state = 'completed' AND attempt = 1 AND claimed_at > 0 AND started_at > 0 AND finished_at > 0
