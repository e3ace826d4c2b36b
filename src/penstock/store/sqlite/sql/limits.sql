-- name: lock_limits
-- The one writer is the lock.
SELECT l.provider, l.model, l.account, l.requests_at, l.input_at, l.output_at, l.running, l.held_until, l.output_mean,
       l.told_requests, l.told_input, l.told_output, l.clock, l.contested_until, l.kinds, l.requests, l.input_tokens,
       l.output_tokens, l.concurrent
FROM json_each(:keys) k CROSS JOIN penstock_limits l
    ON l.provider = json_extract(k.value, '$.provider') AND l.model = json_extract(k.value, '$.model')
   AND l.account = json_extract(k.value, '$.account')
ORDER BY l.provider, l.model, l.account

-- name: make_limits
INSERT INTO penstock_limits (provider, model, account)
SELECT json_extract(value, '$.provider'), json_extract(value, '$.model'), json_extract(value, '$.account')
FROM json_each(:keys) WHERE true
ON CONFLICT DO NOTHING

-- name: write_limits
UPDATE penstock_limits AS l SET
    requests_at = json_extract(r.value, '$.requests_at'), input_at = json_extract(r.value, '$.input_at'),
    output_at = json_extract(r.value, '$.output_at'), running = json_extract(r.value, '$.running'),
    held_until = json_extract(r.value, '$.held_until'), output_mean = json_extract(r.value, '$.output_mean'),
    told_requests = json_extract(r.value, '$.told_requests'), told_input = json_extract(r.value, '$.told_input'),
    told_output = json_extract(r.value, '$.told_output'), clock = json_extract(r.value, '$.clock'),
    contested_until = json_extract(r.value, '$.contested_until'), kinds = json_extract(r.value, '$.kinds'),
    requests = json_extract(r.value, '$.requests'), input_tokens = json_extract(r.value, '$.input_tokens'),
    output_tokens = json_extract(r.value, '$.output_tokens'), concurrent = json_extract(r.value, '$.concurrent')
FROM json_each(:rows) AS r
WHERE l.provider = json_extract(r.value, '$.provider') AND l.model = json_extract(r.value, '$.model')
  AND l.account = json_extract(r.value, '$.account')

-- name: shares_of
SELECT s.provider, s.model, s.account, s.tenant, s.finish, s.wants_until, s.booked_until
FROM json_each(:keys) k CROSS JOIN penstock_shares s
    ON s.provider = json_extract(k.value, '$.provider') AND s.model = json_extract(k.value, '$.model')
   AND s.account = json_extract(k.value, '$.account')

-- name: clear_shares
DELETE FROM penstock_shares WHERE (provider, model, account) IN (
    SELECT json_extract(value, '$.provider'), json_extract(value, '$.model'), json_extract(value, '$.account')
    FROM json_each(:keys))

-- name: drop_shares
DELETE FROM penstock_shares WHERE (provider, model, account, tenant) IN (
    SELECT json_extract(value, '$.provider'), json_extract(value, '$.model'), json_extract(value, '$.account'),
           json_extract(value, '$.tenant')
    FROM json_each(:rows))

-- name: write_shares
INSERT INTO penstock_shares (provider, model, account, tenant, finish, wants_until, booked_until)
SELECT json_extract(value, '$.provider'), json_extract(value, '$.model'), json_extract(value, '$.account'),
       json_extract(value, '$.tenant'), json_extract(value, '$.finish'), json_extract(value, '$.wants_until'),
       json_extract(value, '$.booked_until')
FROM json_each(:rows) WHERE true
ON CONFLICT (provider, model, account, tenant) DO UPDATE SET
    finish = excluded.finish, wants_until = excluded.wants_until, booked_until = excluded.booked_until

-- name: list_limits
SELECT l.provider, l.model, l.account, l.requests_at, l.input_at, l.output_at, l.running, l.held_until, l.output_mean,
       l.told_requests, l.told_input, l.told_output, l.clock, l.contested_until, l.kinds, l.requests, l.input_tokens,
       l.output_tokens, l.concurrent
FROM penstock_limits l ORDER BY l.provider, l.model, l.account
