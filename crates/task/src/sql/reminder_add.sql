-- $1 user, $2 task, $3 expected revision, $4 offset (null: none), $5 moment, $6 maximum number of further
-- reminders of a task, $7 method and path, $8 idempotency key, $9 hash of the body, $10 traceparent
SELECT outcome, answer
FROM reminder_add($1::int8, $2::int8, $3::int8, $4::text, $5::text, $6::int8, $7::text, $8::text, $9::text,
                  $10::text)
