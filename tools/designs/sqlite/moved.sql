-- name: tables
-- The row moves: a claim from `ready` to `running`, an end from `running` to `finished`.
CREATE TABLE ready (
    id           text PRIMARY KEY,
    lane_id      integer NOT NULL,
    priority     integer NOT NULL DEFAULT 0,
    attempt      integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL,
    losses       integer NOT NULL DEFAULT 0,
    position     integer NOT NULL,
    created_at   integer NOT NULL,
    flow_id      text,
    data         text NOT NULL
);
CREATE INDEX ready_claim ON ready (lane_id, position);
CREATE TABLE running AS SELECT *, 0 AS claim_id, 0 AS worker_id, 0 AS claimed_at FROM ready;
CREATE UNIQUE INDEX running_id ON running (id);
CREATE INDEX running_held ON running (worker_id, claim_id);
CREATE TABLE finished AS SELECT *, 0 AS state, 0 AS started_at, 0 AS finished_at FROM running;
CREATE UNIQUE INDEX finished_id ON finished (id);
CREATE INDEX finished_at ON finished (finished_at);

-- name: insert
INSERT INTO ready (id, lane_id, position, created_at, max_attempts, data)
VALUES (:id, :lane_id, :position, :created_at, :max_attempts, :data)

-- name: claim
INSERT INTO running SELECT *, :claim, 1, :now FROM ready WHERE lane_id = 1 ORDER BY position LIMIT :limit
;;
DELETE FROM ready WHERE rowid IN (SELECT rowid FROM ready WHERE lane_id = 1 ORDER BY position LIMIT :limit)

-- name: claimed
SELECT id, position, attempt, data FROM running WHERE worker_id = 1 AND claim_id = :claim

-- name: complete
INSERT INTO finished (
    id, lane_id, priority, attempt, max_attempts, losses, position, created_at, flow_id, data, claim_id, worker_id,
    claimed_at, state, started_at, finished_at)
SELECT h.id, h.lane_id, h.priority, r.value ->> 1, h.max_attempts, h.losses, h.position, h.created_at, h.flow_id, h.data,
       NULL, h.worker_id, h.claimed_at, 4, r.value ->> 2, :now
FROM json_each(:rows) r CROSS JOIN running h ON h.id = r.value ->> 0 WHERE h.claim_id = :claim
;;
DELETE FROM running WHERE id IN (SELECT value ->> 0 FROM json_each(:rows)) AND claim_id = :claim

-- name: readable
SELECT count(*) FROM finished WHERE state = 4 AND attempt = 1 AND claimed_at > 0 AND started_at > 0 AND finished_at > 0
