-- $1 hash of the token, $2 purpose
SELECT user_id, email, name FROM mailed_token_read($1::text, $2::text)
