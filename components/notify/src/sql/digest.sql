-- The content of a digest: three JSON arrays, each with its total count.
-- $1 user, $2 beginning of the day, $3 its end, $4 maximum length of each array
WITH overdue AS (
    SELECT t.id, t.id AS task_id, t.title, t.due_at AS at, t.due_day AS day
    FROM tasks t
    WHERE t.user_id = $1::int8 AND t.status <> 'completed' AND t.due_at < $2::text::timestamptz
), due AS (
    SELECT t.id, t.id AS task_id, t.title, t.due_at AS at, t.due_day AS day
    FROM tasks t
    WHERE t.user_id = $1::int8 AND t.status <> 'completed'
      AND t.due_at >= $2::text::timestamptz AND t.due_at < $3::text::timestamptz
), missed AS (
    -- A missed reminder of a deleted or completed task is not listed.
    SELECT n.id, n.task_id, t.title, n.remind_at AS at, NULL::date AS day
    FROM notifications n JOIN tasks t ON t.id = n.task_id
    WHERE n.user_id = $1::int8 AND n.status = 'missed' AND n.told_in IS NULL AND t.status <> 'completed'
)
SELECT (SELECT count(*) FROM overdue) AS overdue_count,
       (SELECT coalesce(json_agg(json_build_object('id', x.id, 'task_id', x.task_id, 'title', x.title,
                                                   'at', instant(x.at), 'day', x.day) ORDER BY x.at, x.id), '[]')::text
        FROM (SELECT * FROM overdue ORDER BY at, id LIMIT $4::int8) x) AS overdue,
       (SELECT count(*) FROM due) AS due_count,
       (SELECT coalesce(json_agg(json_build_object('id', x.id, 'task_id', x.task_id, 'title', x.title,
                                                   'at', instant(x.at), 'day', x.day) ORDER BY x.at, x.id), '[]')::text
        FROM (SELECT * FROM due ORDER BY at, id LIMIT $4::int8) x) AS due,
       (SELECT count(*) FROM missed) AS missed_count,
       (SELECT coalesce(json_agg(json_build_object('id', x.id, 'task_id', x.task_id, 'title', x.title,
                                                   'at', instant(x.at), 'day', x.day) ORDER BY x.at, x.id), '[]')::text
        FROM (SELECT * FROM missed ORDER BY at, id LIMIT $4::int8) x) AS missed
