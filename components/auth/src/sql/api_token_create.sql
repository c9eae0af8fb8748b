-- $1 user, $2 hash of the token, $3 name, $4 scopes, $5 expires at, $6 most tokens of a user
SELECT answer FROM api_token_create($1::int8, $2::text, $3::text, $4::text[], $5::text, $6::int8)
