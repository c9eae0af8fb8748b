-- $1 e-mail in lower case, $2 hash of the invitation's token (null: none is needed), $3 address of the
-- client, $4 limits (null: none)
SELECT outcome, retry_after_s FROM registration_begin($1::text, $2::text, $3::text, $4::text::jsonb)
