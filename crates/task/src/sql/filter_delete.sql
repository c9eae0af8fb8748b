-- $1 user, $2 filter, $3 expected version (null: any)
SELECT outcome
FROM filter_delete($1::int8, $2::int8, $3::int8)
