-- $1 hash of the token
SELECT outcome FROM email_verify($1::text)
