-- Those of some users who have a webhook that is enabled: their ids, separated by spaces.
-- $1 users
SELECT string_agg(DISTINCT user_id::text, ' ') AS users
FROM webhooks WHERE user_id = ANY ($1::text[]::int8[]) AND disabled_at IS NULL
