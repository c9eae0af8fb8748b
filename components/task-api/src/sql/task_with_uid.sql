-- The task of a user with a uid, as an array of ids: of one, or empty. $1 user, $2 uid
SELECT coalesce(array_agg(t.id), '{}')::text AS ids
FROM tasks t
WHERE t.user_id = $1::int8 AND t.uid = $2::text
