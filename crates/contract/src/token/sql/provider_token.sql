-- $1 issuer, $2 key id (null: any), $3 subject
SELECT keys, user_id, granted_scopes FROM provider_token($1::text, $2::text, $3::text)
