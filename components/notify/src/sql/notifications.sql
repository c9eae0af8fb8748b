-- One page of a user's notifications as a JSON array, newest first.
-- $1 user, $2 id after which the page begins (null: the newest), $3 limit
WITH page AS (
    SELECT n.*, row_number() OVER (ORDER BY n.id DESC) AS place
    FROM notifications n
    WHERE n.user_id = $1::int8 AND n.id < coalesce($2::int8, 9223372036854775807)
    ORDER BY n.id DESC
    LIMIT $3::int8 + 1
)
SELECT '[' || coalesce(string_agg(json_build_object(
           'id', id, 'task_id', task_id, 'reminder_id', reminder_id,
           'digest_day', digest_day, 'channel', channel, 'status', status,
           'attempts', attempts, 'last_error', last_error, 'created_at', instant(created_at),
           'sent_at', instant(sent_at))::text, ',' ORDER BY id DESC) FILTER (WHERE place <= $3::int8), '')
           || ']' AS items,
       min(id) FILTER (WHERE place <= $3::int8) AS last_id,
       count(*) > $3::int8 AS more
FROM page
