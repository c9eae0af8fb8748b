-- $1 user, $2 conversation, $3 the assistant's message, $4 its detail.
SELECT outcome, answer FROM chat_end($1::int8, $2::int8, $3::text, $4::text)
