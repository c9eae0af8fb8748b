-- $1 user, $2 key of the tag, $3 its name from now on and $4 the key of that (both null: taken away),
-- $5 whether to recolour it, $6 colour, $7 traceparent
SELECT outcome, answer
FROM tag_change($1::int8, $2::text, $3::text, $4::text, $5::bool, $6::text, $7::text)
