-- $1 user, $2 when the token was issued, $3 hash of the API token, $4 name, $5 scopes, $6 expires at, $7
-- maximum number of a user's tokens, $8 notice
SELECT outcome, answer
FROM api_token_create($1::int8, $2::int8, $3::text, $4::text, $5::text[], $6::text, $7::int8, $8::text::jsonb)
