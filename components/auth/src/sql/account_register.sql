-- $1 e-mail, $2 e-mail in lower case, $3 password hash, $4 name, $5 time zone
SELECT outcome, user_id, answer
FROM account_register($1::text, $2::text, $3::text, $4::text, $5::text)
