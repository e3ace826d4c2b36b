-- Partial output of runs. A stream's row says which version readers get; the text lies beside it in the order written.
-- `part`: how often the run that holds the stream has begun it anew. `start` and `length` count characters.
CREATE TABLE penstock_streams (
    job_id   text NOT NULL,
    name     text NOT NULL,
    version  integer NOT NULL,
    claim_id integer NOT NULL,
    part     integer NOT NULL,
    attempt  integer NOT NULL,
    length   integer NOT NULL,
    cut      integer NOT NULL,
    at       integer NOT NULL,
    PRIMARY KEY (job_id, name)
);

CREATE TABLE penstock_stream_chunks (
    job_id  text NOT NULL,
    name    text NOT NULL,
    version integer NOT NULL,
    start   integer NOT NULL,
    text    text NOT NULL,
    PRIMARY KEY (job_id, name, version, start)
);
