-- $1 user, $2 list, $3 expected revision, $4 position, $5 and $6 the list it comes next to and that one's
-- position (null: none), $7 method and path, $8 idempotency key, $9 hash of the body, $10 traceparent
SELECT outcome, revision, answer
FROM list_move($1::int8, $2::int8, $3::int8, $4::text, $5::int8, $6::text, $7::text, $8::text, $9::text, $10::text)
