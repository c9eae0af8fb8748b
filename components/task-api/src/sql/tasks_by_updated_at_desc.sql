-- One page of a user's tasks as a JSON array, latest changed first.
-- Parameters as in tasks_by_created_at_desc.sql.
WITH page AS (
    SELECT t.representation, t.id, t.updated_at AS key
    FROM tasks t
    WHERE t.user_id = $1::int8
      AND (t.updated_at, t.id) < (coalesce($12::text::timestamptz, 'infinity'),
                       coalesce($13::int8, 9223372036854775807))
      AND task_matches(t, $2::text, $3::text[], $4::text[], $5::text[], $6::text[], $7::text, $8::text,
                       $9::bool, $10::int8, $11::text)
    ORDER BY t.updated_at DESC, t.id DESC
    LIMIT $14::int8 + 1 OFFSET $15::int8
)
SELECT '[' || coalesce(array_to_string((array_agg(representation))[:$14::int8], ','), '') || ']' AS items,
       instant((array_agg(key))[$14::int8]) AS last_key,
       (array_agg(id))[$14::int8] AS last_id,
       count(*) > $14::int8 AS more
FROM page
