-- $1 hash of the token, $2 what it is for
SELECT user_id, email, name FROM mailed_token_read($1::text, $2::text)
