-- The number of a user's matching tasks, up to a maximum. Parameters $1 to $16 as in
-- tasks_by_created_at_desc.sql; $17: candidates, an array of ids (null: all); $18: the maximum.
SELECT count(*) AS total
FROM (
    SELECT
    FROM tasks t
    WHERE t.user_id = $1::int8
      AND task_matches(t, $2::text, $3::text[], $4::text[], $5::text[], $6::text[], $7::text, $8::text,
                       $9::bool, $10::int8, $11::text, $12::int8, $13::int8, $14::bool, $15::bool, $16::text)
      AND ($17::text IS NULL OR t.id = ANY ($17::text::int8[]))
    LIMIT $18::int8
) AS bounded
