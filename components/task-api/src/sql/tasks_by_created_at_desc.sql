-- One page of a user's tasks, latest created first.
-- One task more than the limit if there are more. An empty page has one row without a task. The join on
-- nothing becomes a nested loop, which keeps the page's order. $1 user; $2 to $13 the filters of
-- task_matches: phrase, states, priorities, any of these tags, all of these tags, first and last due date,
-- whether there is one, parent, changed since, list (null: any), deferred; $14 and $15 sort key and id after which the
-- page begins ($15 null: at the start), $16 limit, $17 offset
SELECT page.representation
FROM (SELECT 1) AS one LEFT JOIN (
    SELECT t.representation
    FROM tasks t
    WHERE t.user_id = $1::int8
      AND (t.created_at, t.id) < (coalesce($14::text::timestamptz, 'infinity'),
                       coalesce($15::int8, 9223372036854775807))
      AND task_matches(t, $2::text, $3::text[], $4::text[], $5::text[], $6::text[], $7::text, $8::text,
                       $9::bool, $10::int8, $11::text, $12::int8, $13::text)
    ORDER BY t.created_at DESC, t.id DESC
    LIMIT $16::int8 + 1 OFFSET $17::int8
) AS page ON true
