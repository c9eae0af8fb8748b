-- $1 user, $2 task, $3 expected revision, $4 list (null: the inbox), $5 position, $6 and $7 the task it comes
-- next to and that one's position (null: none), $8 method and path, $9 idempotency key, $10 hash of the body,
-- $11 traceparent
SELECT outcome, revision, answer
FROM task_move($1::int8, $2::int8, $3::int8, $4::int8, $5::text, $6::int8, $7::text, $8::text, $9::text, $10::text,
               $11::text)
