-- $1 e-mail, $2 e-mail in lower case, $3 password hash, $4 name, $5 time zone, $6 hash of the invitation's
-- token (null: none is needed), $7 mail with the verification
SELECT outcome, user_id, answer
FROM account_register($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text::jsonb)
