-- The conversations of a user, the one used last first, as a JSON array. $1 user.
SELECT coalesce(json_agg(json_build_object('id', c.id, 'title', c.title, 'created_at', instant(c.created_at),
                                           'updated_at', instant(c.updated_at))
                         ORDER BY c.updated_at DESC, c.id DESC), '[]')::text AS answer
FROM conversations c
WHERE c.user_id = $1::int8
