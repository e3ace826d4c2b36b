-- The engine's tables. Times are microseconds since 1970 UTC, so that both stores hold and compare the same numbers.
CREATE SCHEMA IF NOT EXISTS penstock;

CREATE TYPE penstock.job_state AS ENUM
    ('blocked', 'scheduled', 'ready', 'running', 'completed', 'failed', 'cancelled');

CREATE TABLE penstock.queues (
    name              text PRIMARY KEY,
    paused_at         bigint,
    rate_limit        integer,
    rate_period       bigint,
    rate_starts       json NOT NULL DEFAULT '[]',
    total_concurrency integer,
    aging_step        bigint,
    max_length        bigint,
    unknown_kinds     text NOT NULL DEFAULT 'wait' CHECK (unknown_kinds IN ('wait', 'fail')),
    retention         json
);

-- A claim walks lanes: what it must not take (an unknown kind, a missing key) lies in another lane and costs nothing.
CREATE TABLE penstock.lanes (
    id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue    text NOT NULL,
    kind     text NOT NULL,
    tenant   text,
    seal_key text,
    solo     boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX lanes_key ON penstock.lanes (queue, kind, coalesce(tenant, ''), coalesce(seal_key, ''), solo);

CREATE TABLE penstock.workers (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL,
    host        text NOT NULL,
    pid         integer NOT NULL,
    build_id    text,
    queues      json NOT NULL,
    kinds       json NOT NULL,
    started_at  bigint NOT NULL,
    seen_at     bigint NOT NULL,
    lease       bigint NOT NULL,
    beats       bigint NOT NULL DEFAULT 0,
    stopping    boolean NOT NULL DEFAULT false,
    stats       json NOT NULL DEFAULT '{}'
);

-- Hot columns stand here; data over half a kilobyte is moved out of line, so that a change of state does not copy it.
CREATE TABLE penstock.jobs (
    id                  uuid PRIMARY KEY,
    lane_id             integer NOT NULL,
    state               penstock.job_state NOT NULL,
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
    CONSTRAINT running_is_claimed CHECK ((state = 'running') = (claim_id IS NOT NULL)),
    CONSTRAINT ended_is_finished CHECK ((state IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CONSTRAINT scheduled_is_due CHECK (state <> 'scheduled' OR due_at IS NOT NULL OR reason = 'concurrency'),
    CONSTRAINT blocked_has_condition CHECK (state <> 'blocked' OR when_parents IS NOT NULL)
) WITH (fillfactor = 80, toast_tuple_target = 512,
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

CREATE INDEX jobs_claim ON penstock.jobs (lane_id, position) WHERE state = 'ready';
CREATE INDEX jobs_held ON penstock.jobs (worker_id) WHERE state = 'running';
CREATE INDEX jobs_due ON penstock.jobs (due_at) WHERE state = 'scheduled';
CREATE INDEX jobs_finished ON penstock.jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_own_retention ON penstock.jobs (finished_at)
    WHERE finished_at IS NOT NULL AND options ->> 'retention' IS NOT NULL;
CREATE INDEX jobs_flow ON penstock.jobs (flow_id) WHERE flow_id IS NOT NULL;
CREATE INDEX jobs_unmet ON penstock.jobs (unmet_parent) WHERE unmet_parent IS NOT NULL;
CREATE INDEX jobs_deadline ON penstock.jobs (deadline_at) WHERE deadline_at IS NOT NULL AND finished_at IS NULL;
CREATE INDEX jobs_concurrency ON penstock.jobs (concurrency_key, position)
    WHERE concurrency_key IS NOT NULL AND state IN ('scheduled', 'running');

CREATE TABLE penstock.results (
    job_id uuid PRIMARY KEY,
    result json NOT NULL
);

CREATE TABLE penstock.progress (
    job_id  uuid PRIMARY KEY,
    share   double precision,
    message text,
    at      bigint NOT NULL
);

CREATE TABLE penstock.errors (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id      uuid NOT NULL,
    attempt     smallint NOT NULL,
    error_class text NOT NULL,
    message     text NOT NULL,
    traceback   text NOT NULL,
    worker      text,
    started_at  bigint,
    at          bigint NOT NULL
);
CREATE INDEX errors_job ON penstock.errors (job_id);

-- Keys live apart from jobs: a key held for a period or forever outlives the pruning of its job.
CREATE TABLE penstock.unique_keys (
    key        text PRIMARY KEY,
    job_id     uuid NOT NULL,
    scope      text NOT NULL CHECK (scope IN ('active', 'period', 'forever')),
    expires_at bigint
);
CREATE INDEX unique_keys_expiry ON penstock.unique_keys (expires_at) WHERE expires_at IS NOT NULL;

-- The row is only a lock: claims and endings of one concurrency key take turns on it.
CREATE TABLE penstock.concurrency_keys (
    key text PRIMARY KEY
);

CREATE TABLE penstock.flows (
    id           uuid PRIMARY KEY,
    name         text NOT NULL,
    tenant       text,
    round        integer NOT NULL DEFAULT 1,
    total        integer NOT NULL DEFAULT 0,
    open         integer NOT NULL DEFAULT 0 CHECK (open >= 0),
    completed    integer NOT NULL DEFAULT 0,
    failed       integer NOT NULL DEFAULT 0,
    cancelled    integer NOT NULL DEFAULT 0,
    has_children boolean NOT NULL DEFAULT false,
    created_at   bigint NOT NULL,
    finished_at  bigint,
    CHECK (total = open + completed + failed + cancelled)
) WITH (fillfactor = 50);

-- A parent is a job or a flow; both have UUIDs.
CREATE TABLE penstock.edges (
    parent_id uuid NOT NULL,
    child_id  uuid NOT NULL,
    PRIMARY KEY (parent_id, child_id)
);
CREATE INDEX edges_child ON penstock.edges (child_id);

CREATE TABLE penstock.schedules (
    name      text PRIMARY KEY,
    cron      text,
    every     bigint,
    tz        text NOT NULL,
    missed    text NOT NULL,
    lane      json NOT NULL,
    job       json NOT NULL,
    next_at   bigint,
    last_at   bigint,
    paused_at bigint,
    declared  boolean NOT NULL DEFAULT true
);

-- Sequence values are not in commit order, so readers read positions, which are given after the commit (DESIGN, events).
CREATE TABLE penstock.events (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    position bigint,
    stream   text NOT NULL,
    type     text NOT NULL,
    subject  text,
    data     json NOT NULL,
    at       bigint NOT NULL
) WITH (fillfactor = 90);
CREATE UNIQUE INDEX events_position ON penstock.events (position) WHERE position IS NOT NULL;
CREATE INDEX events_new ON penstock.events (id) WHERE position IS NULL;
CREATE INDEX events_subject ON penstock.events (stream, subject, position);

CREATE TABLE penstock.log_head (
    one_row  boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    position bigint NOT NULL
);
INSERT INTO penstock.log_head (position) VALUES (0);

CREATE TABLE penstock.leaders (
    name      text PRIMARY KEY,
    worker_id integer NOT NULL,
    term      bigint NOT NULL,
    beats     bigint NOT NULL
);
