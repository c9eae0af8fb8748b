-- $1 hash of the token
SELECT user_id, scope FROM api_token_use($1::text)
