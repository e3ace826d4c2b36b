-- One row for each model call that was really made. Opened before the call, so that a killed process leaves it behind.
-- Money in billionths of a US dollar; what is not known is null, not zero.
CREATE TABLE penstock_calls (
    id             text PRIMARY KEY,
    job_id         text,
    claim_id       integer,
    attempt        integer,
    kind           text,
    step           text,
    flow_id        text,
    tenant         text,
    provider       text NOT NULL,
    model          text NOT NULL,
    tried          integer NOT NULL,
    input_estimate integer,
    output_estimate integer,
    opened_at      integer NOT NULL,
    closed_at      integer,
    outcome        text,
    input_tokens   integer,
    output_tokens  integer,
    cached_tokens  integer,
    cost           integer,
    CONSTRAINT closed_has_outcome CHECK ((closed_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX penstock_calls_opened ON penstock_calls (opened_at);
CREATE INDEX penstock_calls_job ON penstock_calls (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX penstock_calls_open ON penstock_calls (opened_at) WHERE closed_at IS NULL;
