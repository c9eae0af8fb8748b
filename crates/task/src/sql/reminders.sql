-- One page of a user's reminders as a JSON array, earliest first.
-- $1 user, $2 states and $3 task (null: any), $4 and $5 moment and id after which the page begins (null: at
-- the start), $6 limit
WITH page AS (
    SELECT r AS reminder, r.task_id, r.remind_at, r.id, row_number() OVER (ORDER BY r.remind_at, r.id) AS place
    FROM reminders r
    WHERE r.user_id = $1::int8
      AND (r.remind_at, r.id) > (coalesce($4::text::timestamptz, '-infinity'), coalesce($5::int8, 0))
      -- Not `state = ANY`, because that may use the index of all users' armed reminders.
      AND ($2::text[] IS NULL OR array_position($2::text[], r.state) IS NOT NULL)
      AND ($3::int8 IS NULL OR r.task_id = $3::int8)
    ORDER BY r.remind_at, r.id
    LIMIT $6::int8 + 1
)
SELECT '[' || coalesce(string_agg(reminder_json(p.reminder, t)::text, ',' ORDER BY p.place)
                       FILTER (WHERE p.place <= $6::int8), '') || ']' AS items,
       instant(max(p.remind_at) FILTER (WHERE p.place = $6::int8)) AS last_at,
       max(p.id) FILTER (WHERE p.place = $6::int8) AS last_id,
       count(*) > $6::int8 AS more
FROM page p JOIN tasks t ON t.id = p.task_id
