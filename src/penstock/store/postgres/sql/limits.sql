-- name: lock_limits
SELECT l.provider, l.model, l.account, l.requests_at, l.input_at, l.output_at, l.running, l.held_until, l.output_mean,
       l.told_requests, l.told_input, l.told_output, l.clock, l.contested_until, l.kinds, l.requests, l.input_tokens,
       l.output_tokens, l.concurrent
FROM penstock.limits l
WHERE (l.provider, l.model, l.account) IN (
    SELECT provider, model, account
    FROM json_to_recordset(:keys::json) AS k(provider text, model text, account text))
ORDER BY l.provider, l.model, l.account FOR UPDATE OF l;

-- name: make_limits
-- Waits for whoever is making one of them now.
INSERT INTO penstock.limits (provider, model, account)
SELECT provider, model, account FROM json_to_recordset(:keys::json) AS k(provider text, model text, account text)
ORDER BY provider, model, account
ON CONFLICT DO NOTHING;

-- name: write_limits
UPDATE penstock.limits l SET
    requests_at = r.requests_at, input_at = r.input_at, output_at = r.output_at, running = r.running,
    held_until = r.held_until, output_mean = r.output_mean, told_requests = r.told_requests, told_input = r.told_input,
    told_output = r.told_output, clock = r.clock, contested_until = r.contested_until, kinds = r.kinds,
    requests = r.requests, input_tokens = r.input_tokens, output_tokens = r.output_tokens, concurrent = r.concurrent
FROM json_to_recordset(:rows::json) AS r(
    provider text, model text, account text, requests_at bigint, input_at bigint, output_at bigint, running integer,
    held_until bigint, output_mean integer, told_requests bigint, told_input bigint, told_output bigint, clock bigint,
    contested_until bigint, kinds json, requests bigint, input_tokens bigint, output_tokens bigint, concurrent bigint)
WHERE l.provider = r.provider AND l.model = r.model AND l.account = r.account;

-- name: shares_of
SELECT s.provider, s.model, s.account, s.tenant, s.finish, s.wants_until, s.booked_until
FROM penstock.shares s
JOIN json_to_recordset(:keys::json) AS k(provider text, model text, account text)
    ON s.provider = k.provider AND s.model = k.model AND s.account = k.account;

-- name: clear_shares
DELETE FROM penstock.shares s USING json_to_recordset(:keys::json) AS k(provider text, model text, account text)
WHERE s.provider = k.provider AND s.model = k.model AND s.account = k.account;

-- name: drop_shares
DELETE FROM penstock.shares s
USING json_to_recordset(:rows::json) AS r(provider text, model text, account text, tenant text)
WHERE s.provider = r.provider AND s.model = r.model AND s.account = r.account AND s.tenant = r.tenant;

-- name: write_shares
INSERT INTO penstock.shares AS s (provider, model, account, tenant, finish, wants_until, booked_until)
SELECT provider, model, account, tenant, finish, wants_until, booked_until
FROM json_to_recordset(:rows::json) AS r(
    provider text, model text, account text, tenant text, finish bigint, wants_until bigint, booked_until bigint)
ON CONFLICT (provider, model, account, tenant) DO UPDATE SET
    finish = excluded.finish, wants_until = excluded.wants_until, booked_until = excluded.booked_until;

-- name: list_limits
SELECT l.provider, l.model, l.account, l.requests_at, l.input_at, l.output_at, l.running, l.held_until, l.output_mean,
       l.told_requests, l.told_input, l.told_output, l.clock, l.contested_until, l.kinds, l.requests, l.input_tokens,
       l.output_tokens, l.concurrent
FROM penstock.limits l ORDER BY l.provider, l.model, l.account;
