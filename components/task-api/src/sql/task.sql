-- $1 user, $2 task
SELECT t.revision, t.representation AS answer
FROM tasks t WHERE t.id = $2::int8 AND t.user_id = $1::int8
