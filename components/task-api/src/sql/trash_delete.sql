-- $1 user, $2 task
SELECT outcome FROM trash_delete($1::int8, $2::int8)
