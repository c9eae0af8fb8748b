-- One page of a user's tasks, in their order, from the end.
-- Parameters as in tasks_by_created_at_desc.sql; no two positions are equal.
-- The last character sorts after every position.
SELECT page.representation
FROM (SELECT 1) AS one LEFT JOIN (
    SELECT t.representation
    FROM tasks t
    WHERE t.user_id = $1::int8
      AND t.position < coalesce($17::text, chr(1114111))
      AND ($18::int8 IS NULL OR $18::int8 > 0)
      AND task_matches(t, $2::text, $3::text[], $4::text[], $5::text[], $6::text[], $7::text, $8::text,
                       $9::bool, $10::int8, $11::text, $12::int8, $13::int8, $14::bool, $15::bool, $16::text)
    ORDER BY t.position DESC
    LIMIT $19::int8 + 1 OFFSET $20::int8
) AS page ON true
