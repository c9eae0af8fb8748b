-- $1 user, $2 tokens, $3 maximum of a day or null.
SELECT outcome FROM model_usage_add($1::int8, $2::int8, $3::int8)
