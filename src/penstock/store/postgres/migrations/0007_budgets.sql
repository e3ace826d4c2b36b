-- Budgets as the code declares them and as people set them; what was set holds. Amounts in billionths of a US dollar, or in
-- tokens. `shape`: the budget but for its amount and warning.
CREATE TABLE penstock.budgets (
    name       text NOT NULL,
    source     text NOT NULL CHECK (source IN ('code', 'set')),
    unit       text NOT NULL CHECK (unit IN ('dollars', 'tokens')),
    amount     bigint NOT NULL CHECK (amount >= 0),
    tenant     text,
    kind       text,
    flow       text,
    per        text CHECK (per IN ('day', 'month')),
    tz         text NOT NULL,
    warn_at    double precision,
    shape      text NOT NULL,
    changed_at bigint NOT NULL,
    PRIMARY KEY (name, source)
);

-- What calls have spent and reserved of a budget in one window, for one of those it is for ('': no matter whose).
CREATE TABLE penstock.budget_windows (
    budget    text NOT NULL,
    shape     text NOT NULL,
    tenant    text NOT NULL,
    kind      text NOT NULL,
    flow      text NOT NULL,
    start     bigint NOT NULL,
    ends_at   bigint,
    amount    bigint NOT NULL,
    warn_at   double precision,
    spent     bigint NOT NULL DEFAULT 0 CHECK (spent >= 0),
    reserved  bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    warned_at bigint,
    spent_at  bigint,
    PRIMARY KEY (budget, shape, tenant, kind, flow, start)
);
CREATE INDEX budget_windows_ends ON penstock.budget_windows (ends_at) WHERE ends_at IS NOT NULL;
CREATE INDEX budget_windows_flow ON penstock.budget_windows (flow) WHERE flow <> '';

-- Which windows hold a job that waits for budgets: its steps may be held by several. Who changes a budget releases what it
-- holds, and the job goes on: at once, or when its run has ended.
CREATE TABLE penstock.budget_waits (
    job_id   uuid NOT NULL,
    budget   text NOT NULL,
    shape    text NOT NULL,
    tenant   text NOT NULL,
    kind     text NOT NULL,
    flow     text NOT NULL,
    start    bigint NOT NULL,
    released boolean NOT NULL DEFAULT false,
    PRIMARY KEY (job_id, budget)
);
CREATE INDEX budget_waits_budget ON penstock.budget_waits (budget);

-- What the call has reserved of which windows: a list of [budget, shape, tenant, kind, flow, start, amount].
ALTER TABLE penstock.calls ADD COLUMN budgets json;
