-- name: tables
-- A small hot row beside the cold one; an end deletes it and appends to `ended`.
CREATE TABLE jobs (
    id           text PRIMARY KEY,
    lane_id      integer NOT NULL,
    priority     integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL,
    created_at   integer NOT NULL,
    flow_id      text,
    data         text NOT NULL
);
CREATE INDEX jobs_flow ON jobs (flow_id) WHERE flow_id IS NOT NULL;
CREATE TABLE hot (
    id         text PRIMARY KEY,
    lane_id    integer NOT NULL,
    state      integer NOT NULL DEFAULT 2,
    attempt    integer NOT NULL DEFAULT 0,
    losses     integer NOT NULL DEFAULT 0,
    position   integer NOT NULL,
    due_at     integer,
    claim_id   integer,
    worker_id  integer,
    claimed_at integer,
    CHECK ((state = 3) = (claim_id IS NOT NULL))
);
CREATE INDEX hot_claim ON hot (lane_id, position) WHERE state = 2;
CREATE INDEX hot_held ON hot (worker_id, claim_id) WHERE state = 3;
CREATE INDEX hot_due ON hot (due_at) WHERE state = 1;
CREATE TABLE ended (
    id          text PRIMARY KEY,
    state       integer NOT NULL,
    attempt     integer NOT NULL,
    losses      integer NOT NULL,
    worker_id   integer,
    claimed_at  integer,
    started_at  integer,
    finished_at integer NOT NULL
);
CREATE INDEX ended_finished ON ended (finished_at);

-- name: insert
INSERT INTO jobs (id, lane_id, created_at, max_attempts, data) VALUES (:id, :lane_id, :created_at, :max_attempts, :data)
;;
INSERT INTO hot (id, lane_id, position) VALUES (:id, :lane_id, :position)

-- name: claim
UPDATE hot SET state = 3, claim_id = :claim, worker_id = 1, claimed_at = :now
WHERE rowid IN (SELECT rowid FROM hot WHERE lane_id = 1 AND state = 2 ORDER BY position LIMIT :limit)

-- name: claimed
SELECT h.id, h.position, h.attempt, j.data FROM hot h CROSS JOIN jobs j ON j.id = h.id
WHERE h.state = 3 AND h.worker_id = 1 AND h.claim_id = :claim

-- name: complete
INSERT INTO ended (id, state, attempt, losses, worker_id, claimed_at, started_at, finished_at)
SELECT h.id, 4, r.value ->> 1, h.losses, h.worker_id, h.claimed_at, r.value ->> 2, :now
FROM json_each(:rows) r CROSS JOIN hot h ON h.id = r.value ->> 0 WHERE h.claim_id = :claim
;;
DELETE FROM hot WHERE id IN (SELECT value ->> 0 FROM json_each(:rows)) AND claim_id = :claim

-- name: readable
SELECT count(*) FROM jobs j JOIN ended e ON e.id = j.id
WHERE e.state = 4 AND e.attempt = 1 AND e.claimed_at > 0 AND e.started_at > 0 AND e.finished_at > 0
