-- $1 e-mail in lower case, $2 address of the client
SELECT outcome FROM login_succeeded($1::text, $2::text)
