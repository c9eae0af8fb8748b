-- $1 hash of the token, $2 user of the request's session, $3 when its token was issued (null: no session)
SELECT outcome FROM email_verify($1::text, $2::int8, $3::int8)
