-- Partial output of runs. A stream's row says which version readers get; the text lies beside it in the order written.
-- `part`: how often the run that holds the stream has begun it anew. `start` and `length` count characters.
CREATE TABLE penstock.streams (
    job_id   uuid NOT NULL,
    name     text NOT NULL,
    version  integer NOT NULL,
    claim_id bigint NOT NULL,
    part     integer NOT NULL,
    attempt  smallint NOT NULL,
    length   integer NOT NULL,
    cut      boolean NOT NULL,
    at       bigint NOT NULL,
    PRIMARY KEY (job_id, name)
) WITH (fillfactor = 70);

CREATE TABLE penstock.stream_chunks (
    job_id  uuid NOT NULL,
    name    text NOT NULL,
    version integer NOT NULL,
    start   integer NOT NULL,
    text    text NOT NULL,
    PRIMARY KEY (job_id, name, version, start)
);
