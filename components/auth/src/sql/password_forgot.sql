-- $1 e-mail in lower case, $2 address of the client, $3 limits, $4 mail, $5 mail to an unverified address
-- (null: the same)
SELECT retry_after_s FROM password_forgot($1::text, $2::text, $3::text::jsonb, $4::text::jsonb, $5::text::jsonb)
