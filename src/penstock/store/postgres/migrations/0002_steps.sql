-- What a handler has done and need not do again. A row without a result is a wait: until a time, for a signal, or both.
CREATE TABLE penstock.steps (
    job_id     uuid NOT NULL,
    name       text NOT NULL,
    attempt    smallint NOT NULL,
    result     json,
    signal     text,
    until_at   bigint,
    started_at bigint NOT NULL,
    at         bigint NOT NULL,
    PRIMARY KEY (job_id, name),
    CONSTRAINT done_or_waiting CHECK (result IS NOT NULL OR signal IS NOT NULL OR until_at IS NOT NULL)
);

-- Sent and not yet taken by a handler.
CREATE TABLE penstock.signals (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id  uuid NOT NULL,
    name    text NOT NULL,
    data    json NOT NULL,
    sent_at bigint NOT NULL
);
CREATE INDEX signals_job ON penstock.signals (job_id, name, id);

-- Kind -> the steps that a worker's code declares, so that stored ones which no code knows any more can be told.
ALTER TABLE penstock.workers ADD COLUMN steps json NOT NULL DEFAULT '{}';
