-- The number of a user's matching tasks, up to a maximum. Parameters $1 to $13 as in
-- tasks_by_created_at_desc.sql; $14: candidates, an array of ids (null: all); $15: the maximum.
SELECT count(*) AS total
FROM (
    SELECT
    FROM tasks t
    WHERE t.user_id = $1::int8
      AND task_matches(t, $2::text, $3::text[], $4::text[], $5::text[], $6::text[], $7::text, $8::text,
                       $9::bool, $10::int8, $11::text, $12::int8, $13::text)
      AND ($14::text IS NULL OR t.id = ANY ($14::text::int8[]))
    LIMIT $15::int8
) AS bounded
