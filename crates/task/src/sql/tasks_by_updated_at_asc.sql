-- One page of a user's tasks, least recently changed first.
-- Parameters as in tasks_by_created_at_desc.sql.
SELECT page.representation
FROM (SELECT 1) AS one LEFT JOIN (
    SELECT t.representation
    FROM tasks t
    WHERE t.user_id = $1::int8
      AND (t.updated_at, t.id) > (coalesce($17::text::timestamptz, '-infinity'),
                       coalesce($18::int8, 0))
      AND task_matches(t, $2::text, $3::text[], $4::text[], $5::text[], $6::text[], $7::text, $8::text,
                       $9::bool, $10::int8, $11::text, $12::int8, $13::int8, $14::bool, $15::bool, $16::text)
    ORDER BY t.updated_at, t.id
    LIMIT $19::int8 + 1 OFFSET $20::int8
) AS page ON true
