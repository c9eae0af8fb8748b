-- $1 user, $2 filter
SELECT f.id IS NOT NULL AS is_known, f.version, f.query, filter_json(f)::text AS answer
FROM (SELECT 1) AS one LEFT JOIN filters f ON f.id = $2::int8 AND f.user_id = $1::int8
