-- Budgets as the code declares them and as people set them; what was set holds. Amounts in billionths of a US dollar, or in
-- tokens. `shape`: the budget but for its amount and warning.
CREATE TABLE penstock_budgets (
    name       text NOT NULL,
    source     text NOT NULL CHECK (source IN ('code', 'set')),
    unit       text NOT NULL CHECK (unit IN ('dollars', 'tokens')),
    amount     integer NOT NULL CHECK (amount >= 0),
    tenant     text,
    kind       text,
    flow       text,
    per        text CHECK (per IN ('day', 'month')),
    tz         text NOT NULL,
    warn_at    real,
    shape      text NOT NULL,
    changed_at integer NOT NULL,
    PRIMARY KEY (name, source)
);

-- What calls have spent and reserved of a budget in one window, for one of those it is for ('': no matter whose).
CREATE TABLE penstock_budget_windows (
    budget    text NOT NULL,
    shape     text NOT NULL,
    tenant    text NOT NULL,
    kind      text NOT NULL,
    flow      text NOT NULL,
    start     integer NOT NULL,
    ends_at   integer,
    amount    integer NOT NULL,
    warn_at   real,
    spent     integer NOT NULL DEFAULT 0 CHECK (spent >= 0),
    reserved  integer NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    warned_at integer,
    spent_at  integer,
    PRIMARY KEY (budget, shape, tenant, kind, flow, start)
);
CREATE INDEX penstock_budget_windows_ends ON penstock_budget_windows (ends_at) WHERE ends_at IS NOT NULL;
CREATE INDEX penstock_budget_windows_flow ON penstock_budget_windows (flow) WHERE flow <> '';

-- Which windows hold a job that waits for budgets: its steps may be held by several. Who changes a budget releases what it
-- holds, and the job goes on: at once, or when its run has ended.
CREATE TABLE penstock_budget_waits (
    job_id   text NOT NULL,
    budget   text NOT NULL,
    shape    text NOT NULL,
    tenant   text NOT NULL,
    kind     text NOT NULL,
    flow     text NOT NULL,
    start    integer NOT NULL,
    released integer NOT NULL DEFAULT 0,
    PRIMARY KEY (job_id, budget)
);
CREATE INDEX penstock_budget_waits_budget ON penstock_budget_waits (budget);

-- What the call has reserved of which windows: a list of [budget, shape, tenant, kind, flow, start, amount].
ALTER TABLE penstock_calls ADD COLUMN budgets text;
