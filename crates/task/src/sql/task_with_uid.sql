-- The user's task with a uid, as an array of at most one id. $1 user, $2 uid
SELECT coalesce(array_agg(t.id), '{}')::text AS ids
FROM tasks t
WHERE t.user_id = $1::int8 AND t.uid = $2::text
