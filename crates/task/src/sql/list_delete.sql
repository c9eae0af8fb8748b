-- $1 user, $2 list, $3 expected revision (null: any), $4 what becomes of its tasks, $5 traceparent
SELECT outcome, revision
FROM list_delete($1::int8, $2::int8, $3::int8, $4::text, $5::text)
