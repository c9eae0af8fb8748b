-- One page of a user's tasks, latest created first.
-- One task more than the limit if there are more. An empty page has one row without a task. The join on
-- nothing becomes a nested loop, which keeps the page's order. $1 user; $2 to $16 the filters of
-- task_matches: phrase, states, priorities, any of these tags, all of these tags, first and last due date,
-- whether there is one, first task of the series, changed since, list (null: any), task that it is a subtask of,
-- whether it is blocked, whether the list is a tree, deferred; $17 and $18 sort key and id after which the page begins ($18
-- null: at the start), $19 limit, $20 offset
SELECT page.representation
FROM (SELECT 1) AS one LEFT JOIN (
    SELECT t.representation
    FROM tasks t
    WHERE t.user_id = $1::int8
      AND (t.created_at, t.id) < (coalesce($17::text::timestamptz, 'infinity'),
                       coalesce($18::int8, 9223372036854775807))
      AND task_matches(t, $2::text, $3::text[], $4::text[], $5::text[], $6::text[], $7::text, $8::text,
                       $9::bool, $10::int8, $11::text, $12::int8, $13::int8, $14::bool, $15::bool, $16::text)
    ORDER BY t.created_at DESC, t.id DESC
    LIMIT $19::int8 + 1 OFFSET $20::int8
) AS page ON true
