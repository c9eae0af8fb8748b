-- $1 user
SELECT answer FROM api_tokens_of($1::int8)
