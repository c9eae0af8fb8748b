-- $1 user, $2 conversation.
SELECT outcome FROM conversation_delete($1::int8, $2::int8)
