-- A conversation with its last messages, oldest first. $1 user, $2 conversation, $3 number of the message that all are
-- before, or null, $4 maximum number of messages.
SELECT c.id IS NOT NULL AS is_known,
       json_build_object('id', c.id, 'title', c.title, 'created_at', instant(c.created_at),
                         'updated_at', instant(c.updated_at))::text AS answer,
       (SELECT coalesce(json_agg(message_json(m) ORDER BY m.number), '[]')::text
        FROM messages m
        WHERE m.conversation_id = c.id
          AND m.number IN (SELECT o.number FROM messages o
                           WHERE o.conversation_id = c.id AND ($3::int8 IS NULL OR o.number < $3::int8)
                           ORDER BY o.number DESC LIMIT $4::int8)) AS messages
FROM (SELECT 1) AS one LEFT JOIN conversations c ON c.id = $2::int8 AND c.user_id = $1::int8
