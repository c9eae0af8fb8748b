-- The tasks beneath the given tasks, on all levels, in order: each with the task that it is a subtask of. One row
-- without a task if there are none. OFFSET makes the planner look up the subtasks of each task. $1 user, $2 ids, an array
WITH RECURSIVE beneath AS (
    SELECT x.*
    FROM unnest($2::text::int8[]) AS above (id)
    CROSS JOIN LATERAL (
        SELECT t.id, t.subtask_of, t.position, t.representation
        FROM tasks t WHERE t.user_id = $1::int8 AND t.subtask_of = above.id OFFSET 0
    ) AS x
    UNION ALL
    SELECT x.*
    FROM beneath b
    CROSS JOIN LATERAL (
        SELECT t.id, t.subtask_of, t.position, t.representation
        FROM tasks t WHERE t.user_id = $1::int8 AND t.subtask_of = b.id OFFSET 0
    ) AS x
)
SELECT b.id, b.subtask_of, b.representation
FROM (SELECT 1) AS one LEFT JOIN beneath b ON true
ORDER BY b.position
