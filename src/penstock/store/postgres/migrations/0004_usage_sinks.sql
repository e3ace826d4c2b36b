-- Usage sinks: each that the code names, from the moment it was named first, and the calls that it is owed. A row goes
-- when the sink has taken its call. `unsure_since`: from then on it may have been taken; `refused_at`: a person has to look.
CREATE TABLE penstock.usage_sinks (
    name  text PRIMARY KEY,
    since bigint NOT NULL
);
CREATE TABLE penstock.usage_owed (
    sink         text NOT NULL,
    call_id      uuid NOT NULL,
    due_at       bigint NOT NULL,
    tries        integer NOT NULL DEFAULT 0,
    unsure_since bigint,
    problem      text,
    refused_at   bigint,
    PRIMARY KEY (call_id, sink)
);
CREATE INDEX usage_due ON penstock.usage_owed (sink, due_at) WHERE refused_at IS NULL;
