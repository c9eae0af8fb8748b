-- One page of a user's tasks, least urgent first, tasks without a priority last.
-- Parameters as in tasks_by_created_at_desc.sql.
-- $17 is null if the page begins among tasks without a priority.
SELECT page.representation
FROM (SELECT 1) AS one LEFT JOIN (
    SELECT x.representation
    FROM (
        (SELECT t.representation, t.id, priority_rank(t.priority) AS key, 1 AS part
         FROM tasks t
         WHERE t.user_id = $1::int8 AND priority_rank(t.priority) IS NOT NULL
           AND ($18::int8 IS NULL OR $17::text IS NOT NULL)
           AND (priority_rank(t.priority), t.id) > (coalesce($17::text::int4, 0), coalesce($18::int8, 0))
           AND task_matches(t, $2::text, $3::text[], $4::text[], $5::text[], $6::text[], $7::text, $8::text,
                            $9::bool, $10::int8, $11::text, $12::int8, $13::int8, $14::bool, $15::bool, $16::text)
         ORDER BY priority_rank(t.priority), t.id
         LIMIT $19::int8 + 1 + $20::int8)
        UNION ALL
        (SELECT t.representation, t.id, priority_rank(t.priority), 2
         FROM tasks t
         WHERE t.user_id = $1::int8 AND priority_rank(t.priority) IS NULL
           AND t.id > CASE WHEN $17::text IS NULL THEN coalesce($18::int8, 0) ELSE 0 END
           AND task_matches(t, $2::text, $3::text[], $4::text[], $5::text[], $6::text[], $7::text, $8::text,
                            $9::bool, $10::int8, $11::text, $12::int8, $13::int8, $14::bool, $15::bool, $16::text)
         ORDER BY priority_rank(t.priority), t.id
         LIMIT $19::int8 + 1 + $20::int8)
    ) AS x
    ORDER BY part, key, id
    LIMIT $19::int8 + 1 OFFSET $20::int8
) AS page ON true
