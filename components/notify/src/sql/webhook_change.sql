-- $1 user, $2 webhook, $3 URL, $4 types of events, $5 whether it is enabled (null: as it is)
SELECT f.answer FROM (SELECT 1) AS one LEFT JOIN webhook_change($1::int8, $2::int8, $3::text, $4::text[], $5::bool) f ON true
