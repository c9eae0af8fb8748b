-- $1 user, $2 key of the tag, $3 its new name and $4 the key of that (both null: remove the tag), $5 whether
-- to change the colour, $6 colour, $7 maximum number of tasks of a change that can be undone, $8 traceparent
SELECT outcome, change, answer
FROM tag_change($1::int8, $2::text, $3::text, $4::text, $5::bool, $6::text, $7::int8, $8::text)
