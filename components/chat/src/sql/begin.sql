-- $1 user, $2 conversation or 0, $3 title of a new one, $4 message, $5 maximum number of conversations, $6 of messages of
-- one, $7 number of earlier messages that are answered.
SELECT outcome, conversation_id, number, history, time_zone, is_shared
FROM chat_begin($1::int8, $2::int8, $3::text, $4::text, $5::int8, $6::int8, $7::int8)
