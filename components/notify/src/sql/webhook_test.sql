-- $1 user, $2 webhook, $3 type, $4 traceparent
SELECT f.answer FROM (SELECT 1) AS one LEFT JOIN webhook_test($1::int8, $2::int8, $3::text, $4::text) f ON true
