-- $1 user, $2 webhook, $3 delivery
SELECT f.answer FROM (SELECT 1) AS one LEFT JOIN webhook_redeliver($1::int8, $2::int8, $3::int8) f ON true
