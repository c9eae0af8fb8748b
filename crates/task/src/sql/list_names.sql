-- Id and name of each of a user's lists as a JSON array, in the user's order, archived ones last.
-- $1 user
SELECT coalesce(json_agg(json_build_array(l.id, l.name) ORDER BY l.archived, l.position), '[]')::text AS names
FROM lists l
WHERE l.user_id = $1::int8
