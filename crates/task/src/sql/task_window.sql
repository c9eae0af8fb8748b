-- The user's tasks around a position, in order, as a JSON array of id and position, and the positions before
-- and after these (null: there is none).
-- $1 user, $2 position, $3 maximum number of tasks on each side
WITH around AS MATERIALIZED (
    (SELECT t.id, t.position FROM tasks t
     WHERE t.user_id = $1::int8 AND t.position <= $2::text ORDER BY t.position DESC LIMIT $3::int8)
    UNION ALL
    (SELECT t.id, t.position FROM tasks t
     WHERE t.user_id = $1::int8 AND t.position > $2::text ORDER BY t.position LIMIT $3::int8)
)
SELECT coalesce(json_agg(json_build_array(a.id, a.position) ORDER BY a.position), '[]')::text AS rows,
       (SELECT max(t.position) FROM tasks t
        WHERE t.user_id = $1::int8 AND t.position < (SELECT min(b.position) FROM around b)) AS before,
       (SELECT min(t.position) FROM tasks t
        WHERE t.user_id = $1::int8 AND t.position > (SELECT max(b.position) FROM around b)) AS after
FROM around a
