-- $1 users
SELECT DISTINCT user_id FROM webhooks WHERE user_id = ANY ($1::text[]::int8[]) AND disabled_at IS NULL
