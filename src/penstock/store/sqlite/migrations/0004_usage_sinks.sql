-- Usage sinks: each that the code names, from the moment it was named first, and the calls that it is owed. A row goes
-- when the sink has taken its call. `unsure_since`: from then on it may have been taken; `refused_at`: a person has to look.
CREATE TABLE penstock_usage_sinks (
    name  text PRIMARY KEY,
    since integer NOT NULL
);
CREATE TABLE penstock_usage_owed (
    sink         text NOT NULL,
    call_id      text NOT NULL,
    due_at       integer NOT NULL,
    tries        integer NOT NULL DEFAULT 0,
    unsure_since integer,
    problem      text,
    refused_at   integer,
    PRIMARY KEY (call_id, sink)
) WITHOUT ROWID;
CREATE INDEX penstock_usage_due ON penstock_usage_owed (sink, due_at) WHERE refused_at IS NULL;
