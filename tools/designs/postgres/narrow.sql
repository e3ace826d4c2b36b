-- name: tables
-- The benchmark's floor: in place, only the columns that a drain needs, no look at who holds what or what may be pruned.
CREATE TABLE jobs (
    id          uuid PRIMARY KEY,
    position    bigint NOT NULL,
    state       smallint NOT NULL DEFAULT 0,
    attempt     smallint NOT NULL DEFAULT 0,
    claim_id    bigint,
    claimed_at  bigint,
    started_at  bigint,
    finished_at bigint,
    data        json NOT NULL
);
CREATE INDEX jobs_claim ON jobs (position) WHERE state = 0;

-- name: copy_jobs
COPY jobs (id, position, data) FROM STDIN

-- name: claim
WITH taken AS MATERIALIZED (
    SELECT ctid AS place FROM jobs WHERE state = 0 AND position > %(after)s::bigint
    ORDER BY position LIMIT %(limit)s::integer FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET state = 1, claim_id = %(claim)s::bigint, claimed_at = %(now)s::bigint
WHERE ctid = ANY (ARRAY(SELECT place FROM taken))
RETURNING id, position, attempt, data

-- name: complete
WITH rows AS MATERIALIZED (
    SELECT *, %(claim)s::bigint AS claim
    FROM unnest(%(ids)s::uuid[], %(attempts)s::smallint[], %(starts)s::bigint[]) AS r(id, attempt, started)
)
UPDATE jobs j SET state = 2, finished_at = %(now)s::bigint, attempt = r.attempt, started_at = r.started
FROM rows r
WHERE j.id = ANY (ARRAY[r.id]) AND j.claim_id = r.claim

-- name: finished
INSERT INTO jobs (id, position, state, attempt, claim_id, claimed_at, started_at, finished_at, data)
SELECT lpad(to_hex(n), 32, '0')::uuid, n, 2, 1, 1, n, n, n, %(data)s::json
FROM generate_series(1, %(count)s::integer) n

-- name: readable
SELECT count(*) FROM jobs WHERE state = 2 AND attempt = 1 AND claimed_at > 0 AND started_at > 0 AND finished_at > 0
