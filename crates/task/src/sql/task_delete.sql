-- $1 user, $2 task, $3 expected revision (null: any), $4 scope, $5 traceparent
SELECT outcome, revision
FROM task_delete($1::int8, $2::int8, $3::int8, $4::text, $5::text)
