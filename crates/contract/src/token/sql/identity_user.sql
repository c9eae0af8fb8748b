-- $1 issuer, $2 subject, $3 e-mail, $4 e-mail in lower case, $5 name
SELECT user_id FROM identity_user($1::text, $2::text, $3::text, $4::text, $5::text)
