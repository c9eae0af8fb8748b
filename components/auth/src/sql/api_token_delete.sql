-- $1 user, $2 token
SELECT outcome FROM api_token_delete($1::int8, $2::int8)
