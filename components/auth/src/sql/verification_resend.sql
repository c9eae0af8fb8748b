-- $1 user, $2 limits, $3 mail
SELECT retry_after_s FROM verification_resend($1::int8, $2::text::jsonb, $3::text::jsonb)
