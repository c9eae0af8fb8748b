SELECT outcome FROM task_derive($1::bigint, $2::bigint, $3::bigint, $4::jsonb, $5::text)
