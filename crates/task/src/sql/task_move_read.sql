-- A task to move, the kept answer of the idempotency key, if any, and the place to move it to: next to another
-- task, or the end of the user's tasks. `near` is the position of the one it comes next to, `far` the
-- position beyond; null if there is none.
-- $1 user, $2 task, $3 the other task (null: the end), $4 whether it comes after that one, $5 list (null: the
-- inbox, or as it is), $6 method and path, $7 idempotency key, $8 hash of the body
SELECT k.outcome AS kept_outcome, k.answer AS kept_answer,
       t.revision, t.representation AS answer, t.position, t.list_id,
       $5::int8 IS NULL OR EXISTS (SELECT FROM lists l WHERE l.id = $5::int8 AND l.user_id = $1::int8) AS is_list_known,
       o.id IS NOT NULL AS is_other_known, o.list_id AS other_list_id, place.near,
       CASE WHEN $4::bool
            THEN (SELECT min(x.position) FROM tasks x
                  WHERE x.user_id = $1::int8 AND x.position > place.near AND x.id <> $2::int8)
            ELSE (SELECT max(x.position) FROM tasks x
                  WHERE x.user_id = $1::int8 AND x.position < place.near AND x.id <> $2::int8) END AS far
FROM (SELECT 1) AS one
LEFT JOIN kept_answer($1::int8, $6::text, $7::text, $8::text) k ON true
LEFT JOIN tasks t ON t.id = $2::int8 AND t.user_id = $1::int8
LEFT JOIN tasks o ON o.id = $3::int8 AND o.user_id = $1::int8
CROSS JOIN LATERAL (
    SELECT CASE WHEN $3::int8 IS NULL
                THEN (SELECT max(x.position) FROM tasks x WHERE x.user_id = $1::int8 AND x.id <> $2::int8)
                ELSE o.position END AS near
) AS place
