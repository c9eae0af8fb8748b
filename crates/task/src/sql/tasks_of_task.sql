-- The user's subtasks of a task, as an array of ids. $1 user, $2 task
SELECT coalesce(array_agg(t.id), '{}')::text AS ids
FROM tasks t
WHERE t.user_id = $1::int8 AND t.subtask_of = $2::int8
