-- The engine's tables. Times are microseconds since 1970 UTC, so that both stores hold and compare the same numbers.
CREATE TABLE penstock_queues (
    name              text PRIMARY KEY,
    paused_at         integer,
    rate_limit        integer,
    rate_period       integer,
    rate_starts       text NOT NULL DEFAULT '[]',
    total_concurrency integer,
    aging_step        integer,
    max_length        integer,
    unknown_kinds     text NOT NULL DEFAULT 'wait' CHECK (unknown_kinds IN ('wait', 'fail')),
    retention         text
);

-- A claim walks lanes: what it must not take (an unknown kind, a missing key) lies in another lane and costs nothing.
CREATE TABLE penstock_lanes (
    id       integer PRIMARY KEY AUTOINCREMENT,
    queue    text NOT NULL,
    kind     text NOT NULL,
    tenant   text,
    seal_key text,
    solo     integer NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX penstock_lanes_key ON penstock_lanes (queue, kind, coalesce(tenant, ''), coalesce(seal_key, ''), solo);

CREATE TABLE penstock_workers (
    id          integer PRIMARY KEY AUTOINCREMENT,
    name        text NOT NULL,
    host        text NOT NULL,
    pid         integer NOT NULL,
    build_id    text,
    queues      text NOT NULL,
    kinds       text NOT NULL,
    started_at  integer NOT NULL,
    seen_at     integer NOT NULL,
    lease       integer NOT NULL,
    beats       integer NOT NULL DEFAULT 0,
    stopping    integer NOT NULL DEFAULT 0,
    stats       text NOT NULL DEFAULT '{}'
);

-- Hot columns stand here, data in job_data: SQLite rewrites a whole row, so that a change of state must not carry it.
CREATE TABLE penstock_jobs (
    id                  text PRIMARY KEY,
    lane_id             integer NOT NULL,
    state               text NOT NULL,
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
    completed_parents   integer NOT NULL DEFAULT 0,
    failed_parents      integer NOT NULL DEFAULT 0,
    when_parents        text CHECK (when_parents IN ('all_completed', 'all_ended', 'any_completed')),
    flow_id             text,
    unmet_parent        text,
    concurrency_limit   integer,
    concurrency_key     text,
    unique_key          text,
    reason              text,
    -- Running if and only if claimed, ended if and only if finished. One CASE: it stops at the state that holds, where a
    -- condition for each rule costs more than all else of a change of state.
    CONSTRAINT state_has_its_facts CHECK (CASE state
        WHEN 'ready' THEN claim_id IS NULL AND finished_at IS NULL
        WHEN 'running' THEN claim_id IS NOT NULL AND finished_at IS NULL
        WHEN 'completed' THEN claim_id IS NULL AND finished_at IS NOT NULL
        WHEN 'scheduled' THEN claim_id IS NULL AND finished_at IS NULL AND (due_at IS NOT NULL OR reason IS 'concurrency')
        WHEN 'blocked' THEN claim_id IS NULL AND finished_at IS NULL AND when_parents IS NOT NULL
        WHEN 'failed' THEN claim_id IS NULL AND finished_at IS NOT NULL
        WHEN 'cancelled' THEN claim_id IS NULL AND finished_at IS NOT NULL
        ELSE false END)
);

CREATE TABLE penstock_job_data (
    job_id  text PRIMARY KEY,
    data    text NOT NULL,
    options text
);

CREATE INDEX penstock_jobs_claim ON penstock_jobs (lane_id, position) WHERE state = 'ready';
CREATE INDEX penstock_jobs_held ON penstock_jobs (worker_id, claim_id) WHERE state = 'running';
CREATE INDEX penstock_jobs_due ON penstock_jobs (due_at) WHERE state = 'scheduled';
CREATE INDEX penstock_jobs_finished ON penstock_jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX penstock_jobs_flow ON penstock_jobs (flow_id) WHERE flow_id IS NOT NULL;
CREATE INDEX penstock_jobs_unmet ON penstock_jobs (unmet_parent) WHERE unmet_parent IS NOT NULL;
CREATE INDEX penstock_jobs_deadline ON penstock_jobs (deadline_at) WHERE deadline_at IS NOT NULL AND finished_at IS NULL;
CREATE INDEX penstock_jobs_concurrency ON penstock_jobs (concurrency_key, position)
    WHERE concurrency_key IS NOT NULL AND state IN ('scheduled', 'running');

CREATE TABLE penstock_results (
    job_id text PRIMARY KEY,
    result text NOT NULL
);

CREATE TABLE penstock_progress (
    job_id  text PRIMARY KEY,
    share   real,
    message text,
    at      integer NOT NULL
);

CREATE TABLE penstock_errors (
    id          integer PRIMARY KEY AUTOINCREMENT,
    job_id      text NOT NULL,
    attempt     integer NOT NULL,
    error_class text NOT NULL,
    message     text NOT NULL,
    traceback   text NOT NULL,
    worker      text,
    started_at  integer,
    at          integer NOT NULL
);
CREATE INDEX penstock_errors_job ON penstock_errors (job_id);

-- Keys live apart from jobs: a key held for a period or forever outlives the pruning of its job.
CREATE TABLE penstock_unique_keys (
    key        text PRIMARY KEY,
    job_id     text NOT NULL,
    scope      text NOT NULL CHECK (scope IN ('active', 'period', 'forever')),
    expires_at integer
);
CREATE INDEX penstock_unique_keys_expiry ON penstock_unique_keys (expires_at) WHERE expires_at IS NOT NULL;

-- The row is only a lock: claims and endings of one concurrency key take turns on it.
CREATE TABLE penstock_concurrency_keys (
    key text PRIMARY KEY
);

CREATE TABLE penstock_flows (
    id           text PRIMARY KEY,
    name         text NOT NULL,
    tenant       text,
    round        integer NOT NULL DEFAULT 1,
    total        integer NOT NULL DEFAULT 0,
    open         integer NOT NULL DEFAULT 0 CHECK (open >= 0),
    completed    integer NOT NULL DEFAULT 0,
    failed       integer NOT NULL DEFAULT 0,
    cancelled    integer NOT NULL DEFAULT 0,
    has_children integer NOT NULL DEFAULT 0,
    created_at   integer NOT NULL,
    finished_at  integer,
    CHECK (total = open + completed + failed + cancelled)
);

-- A parent is a job or a flow; both have UUIDs.
CREATE TABLE penstock_edges (
    parent_id text NOT NULL,
    child_id  text NOT NULL,
    PRIMARY KEY (parent_id, child_id)
);
CREATE INDEX penstock_edges_child ON penstock_edges (child_id);

CREATE TABLE penstock_schedules (
    name      text PRIMARY KEY,
    cron      text,
    every     integer,
    tz        text NOT NULL,
    missed    text NOT NULL,
    lane      text NOT NULL,
    job       text NOT NULL,
    next_at   integer,
    last_at   integer,
    paused_at integer,
    declared  integer NOT NULL DEFAULT 1
);

-- There is one writer, so the row number is given in commit order: it is the position.
CREATE TABLE penstock_events (
    position integer PRIMARY KEY AUTOINCREMENT,
    stream   text NOT NULL,
    type     text NOT NULL,
    subject  text,
    data     text NOT NULL,
    at       integer NOT NULL
);
CREATE INDEX penstock_events_subject ON penstock_events (stream, subject, position);

CREATE TABLE penstock_leaders (
    name      text PRIMARY KEY,
    worker_id integer NOT NULL,
    term      integer NOT NULL,
    beats     integer NOT NULL
);
