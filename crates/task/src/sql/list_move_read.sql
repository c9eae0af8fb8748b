-- A list to move, the kept answer of the idempotency key, if any, and the place to move it to, as in
-- task_move_read.sql.
-- $1 user, $2 list, $3 the other list (null: the end), $4 whether it comes after that one, $5 method and path,
-- $6 idempotency key, $7 hash of the body
SELECT k.outcome AS kept_outcome, k.answer AS kept_answer,
       l.revision, CASE WHEN l.id IS NOT NULL THEN list_json(l) END AS answer, l.position,
       o.id IS NOT NULL AS is_other_known, place.near,
       CASE WHEN $4::bool
            THEN (SELECT min(x.position) FROM lists x
                  WHERE x.user_id = $1::int8 AND x.position > place.near AND x.id <> $2::int8)
            ELSE (SELECT max(x.position) FROM lists x
                  WHERE x.user_id = $1::int8 AND x.position < place.near AND x.id <> $2::int8) END AS far
FROM (SELECT 1) AS one
LEFT JOIN kept_answer($1::int8, $5::text, $6::text, $7::text) k ON true
LEFT JOIN lists l ON l.id = $2::int8 AND l.user_id = $1::int8
LEFT JOIN lists o ON o.id = $3::int8 AND o.user_id = $1::int8
CROSS JOIN LATERAL (
    SELECT CASE WHEN $3::int8 IS NULL
                THEN (SELECT max(x.position) FROM lists x WHERE x.user_id = $1::int8 AND x.id <> $2::int8)
                ELSE o.position END AS near
) AS place
