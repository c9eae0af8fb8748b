-- $1 user, $2 changes
SELECT outcome, answer FROM account_change($1::int8, $2::text::jsonb)
