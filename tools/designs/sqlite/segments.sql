-- name: tables
-- Only appended to: one segment of jobs, a row for each claimed range, a row for each ended batch.
CREATE TABLE jobs (
    place        integer PRIMARY KEY,
    id           text NOT NULL UNIQUE,
    lane_id      integer NOT NULL,
    priority     integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL,
    position     integer NOT NULL,
    created_at   integer NOT NULL,
    flow_id      text,
    data         text NOT NULL
);
CREATE TABLE claims (
    claim_id   integer PRIMARY KEY,
    worker_id  integer NOT NULL,
    low        integer NOT NULL,
    high       integer NOT NULL,
    claimed_at integer NOT NULL,
    revoked_at integer
);
CREATE TABLE ended (claim_id integer PRIMARY KEY, rows text NOT NULL, finished_at integer NOT NULL);

-- name: insert
INSERT INTO jobs (id, lane_id, position, created_at, max_attempts, data)
VALUES (:id, :lane_id, :position, :created_at, :max_attempts, :data)

-- name: claim
INSERT INTO claims (claim_id, worker_id, low, high, claimed_at)
SELECT :claim, 1, low, min(low + :limit, (SELECT max(place) FROM jobs) + 1), :now
FROM (SELECT coalesce((SELECT high FROM claims ORDER BY claim_id DESC LIMIT 1), 1) AS low)

-- name: claimed
SELECT j.id, j.place, 0, j.data FROM claims c CROSS JOIN jobs j ON j.place >= c.low AND j.place < c.high
WHERE c.claim_id = :claim

-- name: complete
INSERT INTO ended (claim_id, rows, finished_at)
SELECT claim_id, :rows, :now FROM claims WHERE claim_id = :claim AND revoked_at IS NULL

-- name: readable
SELECT count(*) FROM ended e JOIN claims c ON c.claim_id = e.claim_id
CROSS JOIN json_each(e.rows) r CROSS JOIN jobs j ON j.id = r.value ->> 0
WHERE r.value ->> 1 = 1 AND r.value ->> 2 > 0 AND c.claimed_at > 0 AND e.finished_at > 0
