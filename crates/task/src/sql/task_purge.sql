-- $1 user, $2 task
SELECT outcome FROM task_purge($1::int8, $2::int8)
