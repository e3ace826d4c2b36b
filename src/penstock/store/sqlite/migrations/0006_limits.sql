-- The state of a provider's limits, shared by all processes. Model '': all of the provider's together; account '': no key.
-- requests to concurrent are the rates as whoever wrote last has declared them, for people; told_*: what headers allow.
CREATE TABLE penstock_limits (
    provider        text NOT NULL,
    model           text NOT NULL,
    account         text NOT NULL,
    requests_at     integer NOT NULL DEFAULT 0,
    input_at        integer NOT NULL DEFAULT 0,
    output_at       integer NOT NULL DEFAULT 0,
    running         integer NOT NULL DEFAULT 0 CHECK (running >= 0),
    held_until      integer NOT NULL DEFAULT 0,
    output_mean     integer,
    told_requests   integer,
    told_input      integer,
    told_output     integer,
    clock           integer NOT NULL DEFAULT 0,
    contested_until integer NOT NULL DEFAULT 0,
    kinds           text NOT NULL DEFAULT '[]',
    requests        integer,
    input_tokens    integer,
    output_tokens   integer,
    concurrent      integer,
    PRIMARY KEY (provider, model, account)
) WITHOUT ROWID;

-- What tenants have had while calls had to wait at a limit. Tenant '': jobs without one.
CREATE TABLE penstock_shares (
    provider     text NOT NULL,
    model        text NOT NULL,
    account      text NOT NULL,
    tenant       text NOT NULL,
    finish       integer NOT NULL,
    wants_until  integer NOT NULL,
    booked_until integer NOT NULL,
    PRIMARY KEY (provider, model, account, tenant)
) WITHOUT ROWID;

-- Which key the call used, and at which limits (their models) it holds a slot.
ALTER TABLE penstock_calls ADD COLUMN account text NOT NULL DEFAULT '';
ALTER TABLE penstock_calls ADD COLUMN limits text;
