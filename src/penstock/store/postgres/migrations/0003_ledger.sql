-- One row for each model call that was really made. Opened before the call, so that a killed process leaves it behind.
-- Money in billionths of a US dollar; what is not known is null, not zero.
CREATE TABLE penstock.calls (
    id             uuid PRIMARY KEY,
    job_id         uuid,
    claim_id       bigint,
    attempt        smallint,
    kind           text,
    step           text,
    flow_id        uuid,
    tenant         text,
    provider       text NOT NULL,
    model          text NOT NULL,
    tried          smallint NOT NULL,
    input_estimate integer,
    output_estimate integer,
    opened_at      bigint NOT NULL,
    closed_at      bigint,
    outcome        text,
    input_tokens   integer,
    output_tokens  integer,
    cached_tokens  integer,
    cost           bigint,
    CONSTRAINT closed_has_outcome CHECK ((closed_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX calls_opened ON penstock.calls (opened_at);
CREATE INDEX calls_job ON penstock.calls (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX calls_open ON penstock.calls (opened_at) WHERE closed_at IS NULL;
