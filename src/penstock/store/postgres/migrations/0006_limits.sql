-- The state of a provider's limits, shared by all processes. Model '': all of the provider's together; account '': no key.
-- requests to concurrent are the rates as whoever wrote last has declared them, for people; told_*: what headers allow.
-- Each call changes a row or two: room in the page keeps that to the page.
CREATE TABLE penstock.limits (
    provider        text NOT NULL,
    model           text NOT NULL,
    account         text NOT NULL,
    requests_at     bigint NOT NULL DEFAULT 0,
    input_at        bigint NOT NULL DEFAULT 0,
    output_at       bigint NOT NULL DEFAULT 0,
    running         integer NOT NULL DEFAULT 0 CHECK (running >= 0),
    held_until      bigint NOT NULL DEFAULT 0,
    output_mean     integer,
    told_requests   bigint,
    told_input      bigint,
    told_output     bigint,
    clock           bigint NOT NULL DEFAULT 0,
    contested_until bigint NOT NULL DEFAULT 0,
    kinds           json NOT NULL DEFAULT '[]',
    requests        bigint,
    input_tokens    bigint,
    output_tokens   bigint,
    concurrent      bigint,
    PRIMARY KEY (provider, model, account)
) WITH (fillfactor = 50);

-- What tenants have had while calls had to wait at a limit. Tenant '': jobs without one.
CREATE TABLE penstock.shares (
    provider     text NOT NULL,
    model        text NOT NULL,
    account      text NOT NULL,
    tenant       text NOT NULL,
    finish       bigint NOT NULL,
    wants_until  bigint NOT NULL,
    booked_until bigint NOT NULL,
    PRIMARY KEY (provider, model, account, tenant)
) WITH (fillfactor = 50);

-- Which key the call used, and at which limits (their models) it holds a slot.
ALTER TABLE penstock.calls ADD COLUMN account text NOT NULL DEFAULT '';
ALTER TABLE penstock.calls ADD COLUMN limits json;
