-- The users, among those given, who have an enabled webhook: a JSON array of ids.
-- $1 users
SELECT coalesce(json_agg(DISTINCT user_id), '[]')::text AS users
FROM webhooks WHERE user_id = ANY ($1::text[]::int8[]) AND disabled_at IS NULL
