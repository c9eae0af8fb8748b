-- One page of a user's tasks as a JSON array, titles from A to Z.
-- Parameters as in tasks_by_created_at_desc.sql.
WITH page AS (
    SELECT t.representation, t.id, t.title_key AS key, row_number() OVER (ORDER BY t.title_key, t.id) AS place
    FROM tasks t
    WHERE t.user_id = $1::int8
      AND (t.title_key, t.id) > (coalesce($12::text, ''),
                      coalesce($13::int8, 0))
      AND task_matches(t, $2::text, $3::text[], $4::text[], $5::text[], $6::text[], $7::text, $8::text,
                       $9::bool, $10::int8, $11::text)
    ORDER BY t.title_key, t.id
    LIMIT $14::int8 + 1 OFFSET $15::int8
)
SELECT '[' || coalesce(string_agg(representation, ',' ORDER BY place)
                       FILTER (WHERE place <= $14::int8 + $15::int8), '') || ']' AS items,
       max(key) FILTER (WHERE place = $14::int8 + $15::int8) AS last_key,
       max(id) FILTER (WHERE place = $14::int8 + $15::int8) AS last_id,
       count(*) > $14::int8 AS more
FROM page
