-- name: tables
-- Only appended to: jobs to segments that are dropped whole, a row for each claimed range, a row for each ended batch.
-- A place in a lane is dense and in commit order: the producer's transaction holds the lane's head until it commits.
CREATE TABLE jobs (
    place             bigint NOT NULL,
    id                uuid NOT NULL,
    lane_id           integer NOT NULL,
    priority          smallint NOT NULL DEFAULT 0,
    max_attempts      smallint NOT NULL,
    has_children      boolean NOT NULL DEFAULT false,
    position          bigint NOT NULL,
    created_at        bigint NOT NULL,
    deadline_at       bigint,
    flow_id           uuid,
    concurrency_limit smallint,
    concurrency_key   text,
    unique_key        text,
    data              json NOT NULL,
    options           json,
    PRIMARY KEY (lane_id, place)
) PARTITION BY RANGE (place);
CREATE INDEX jobs_id ON jobs (id);
DO $$ BEGIN
    FOR n IN 0..13 LOOP
        EXECUTE format('CREATE TABLE jobs_%s PARTITION OF jobs FOR VALUES FROM (%s) TO (%s)', n, n * 100000, (n + 1) * 100000);
    END LOOP;
END $$;
CREATE TABLE heads (lane_id integer PRIMARY KEY, next bigint NOT NULL) WITH (fillfactor = 10);
CREATE TABLE cursors (lane_id integer PRIMARY KEY, next bigint NOT NULL) WITH (fillfactor = 10);
INSERT INTO heads VALUES (1, 0);
INSERT INTO cursors VALUES (1, 0);
CREATE TABLE claims (
    claim_id   bigint PRIMARY KEY,
    lane_id    integer NOT NULL,
    worker_id  integer NOT NULL,
    low        bigint NOT NULL,
    high       bigint NOT NULL,
    claimed_at bigint NOT NULL,
    revoked_at bigint
);
CREATE INDEX claims_place ON claims (lane_id, low);
CREATE TABLE ended (
    claim_id    bigint NOT NULL,
    places      bigint[] NOT NULL,
    states      smallint[] NOT NULL,
    attempts    smallint[] NOT NULL,
    starts      bigint[] NOT NULL,
    finished_at bigint NOT NULL
);
CREATE INDEX ended_claim ON ended (claim_id);

-- name: reserve
UPDATE heads SET next = next + %(count)s::bigint WHERE lane_id = 1 RETURNING next - %(count)s::bigint

-- name: copy_jobs
COPY jobs (place, id, lane_id, position, created_at, max_attempts, data) FROM STDIN

-- name: claim
WITH head AS MATERIALIZED (
    SELECT next FROM heads WHERE lane_id = 1
), here AS MATERIALIZED (
    SELECT next FROM cursors WHERE lane_id = 1 FOR UPDATE
), range AS MATERIALIZED (
    SELECT here.next AS low, least(here.next + %(limit)s::integer, head.next) AS high
    FROM here, head WHERE here.next < head.next
), moved AS (
    UPDATE cursors c SET next = range.high FROM range WHERE c.lane_id = 1
), noted AS (
    INSERT INTO claims (claim_id, lane_id, worker_id, low, high, claimed_at)
    SELECT %(claim)s::bigint, 1, 1, low, high, %(now)s::bigint FROM range
)
SELECT j.id, j.place, 0, j.data FROM range JOIN jobs j ON j.lane_id = 1 AND j.place >= low AND j.place < high
WHERE %(after)s::bigint IS NOT NULL

-- name: complete
INSERT INTO ended (claim_id, places, states, attempts, starts, finished_at)
SELECT claim_id, %(places)s::bigint[], array_fill(4::smallint, ARRAY[cardinality(%(places)s::bigint[])]),
       %(attempts)s::smallint[], %(starts)s::bigint[], %(now)s::bigint
FROM (SELECT claim_id FROM claims WHERE claim_id = %(claim)s::bigint AND revoked_at IS NULL FOR UPDATE) held

-- name: finished
WITH old AS MATERIALIZED (
    SELECT n, n / 500 AS batch FROM generate_series(0, %(count)s::integer - 1) n
), stored AS (
    INSERT INTO jobs (place, id, lane_id, position, created_at, max_attempts, data)
    SELECT n, lpad(to_hex(n), 32, '0')::uuid, 1, n, n, 5, %(data)s::json FROM old
), claimed AS (
    INSERT INTO claims SELECT -1 - batch, 1, 1, min(n), max(n) + 1, 1, NULL FROM old GROUP BY batch
), done AS (
    INSERT INTO ended
    SELECT -1 - batch, array_agg(n::bigint ORDER BY n), array_agg(4::smallint), array_agg(1::smallint),
           array_agg(1::bigint), 1
    FROM old GROUP BY batch
), headed AS (
    UPDATE heads SET next = next + %(count)s::integer
)
UPDATE cursors SET next = next + %(count)s::integer

-- name: readable
SELECT count(*)
FROM ended e JOIN claims c ON c.claim_id = e.claim_id
CROSS JOIN LATERAL unnest(e.places, e.states, e.attempts, e.starts) AS r(place, state, attempt, started)
JOIN jobs j ON j.lane_id = c.lane_id AND j.place = r.place
WHERE r.state = 4 AND r.attempt = 1 AND c.claimed_at > 0 AND r.started > 0 AND e.finished_at > 0
