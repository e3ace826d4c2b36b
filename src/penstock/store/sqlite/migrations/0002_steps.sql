-- What a handler has done and need not do again. A row without a result is a wait: until a time, for a signal, or both.
CREATE TABLE penstock_steps (
    job_id     text NOT NULL,
    name       text NOT NULL,
    attempt    integer NOT NULL,
    result     text,
    signal     text,
    until_at   integer,
    started_at integer NOT NULL,
    at         integer NOT NULL,
    PRIMARY KEY (job_id, name),
    CONSTRAINT done_or_waiting CHECK (result IS NOT NULL OR signal IS NOT NULL OR until_at IS NOT NULL)
);

-- Sent and not yet taken by a handler.
CREATE TABLE penstock_signals (
    id      integer PRIMARY KEY AUTOINCREMENT,
    job_id  text NOT NULL,
    name    text NOT NULL,
    data    text NOT NULL,
    sent_at integer NOT NULL
);
CREATE INDEX penstock_signals_job ON penstock_signals (job_id, name, id);

-- Kind -> the steps that a worker's code declares, so that stored ones which no code knows any more can be told.
ALTER TABLE penstock_workers ADD COLUMN steps text NOT NULL DEFAULT '{}';

-- Jobs with a retention of their own, so that looking for what is past its time reads no others.
CREATE INDEX penstock_job_data_retention ON penstock_job_data (job_id) WHERE json_extract(options, '$.retention') IS NOT NULL;
