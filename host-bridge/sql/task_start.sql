SELECT outcome FROM task_start($1::bigint, $2::bigint, $3::text)
