-- $1 user, $2 URL, $3 types of events, $4 secret, $5 most webhooks of a user
SELECT answer FROM webhook_create($1::int8, $2::text, $3::text[], $4::text, $5::int8)
