-- What decides about an occurrence's successor: its task as it is now, or as it was when its user deleted
-- only this occurrence.
-- $1 user, $2 task
WITH occurrence AS (
    SELECT t.series_id, t.slot, t.status, t.completed_at, t.time_zone, t.reminder_offset, t.due_at, t.due_day,
           t.start_at, t.start_day, t.subtasks_total, false AS deleted
    FROM tasks t
    WHERE t.id = $2::int8 AND t.user_id = $1::int8
    UNION ALL
    SELECT (o.deleted_task ->> 'series_id')::int8, (o.deleted_task ->> 'slot')::timestamp,
           o.deleted_task ->> 'status', NULL, o.deleted_task ->> 'time_zone',
           o.deleted_task ->> 'reminder_offset', (o.deleted_task ->> 'due_at')::timestamptz,
           (o.deleted_task ->> 'due_day')::date, (o.deleted_task ->> 'start_at')::timestamptz,
           (o.deleted_task ->> 'start_day')::date, (o.deleted_task ->> 'subtasks_total')::int8, true
    FROM occurrences o
    WHERE o.task_id = $2::int8 AND o.user_id = $1::int8 AND o.deleted_task IS NOT NULL
)
SELECT s.id IS NOT NULL AS is_known,
       s.id AS series_id,
       s.recurrence_rule::text AS rule,
       to_char(s.anchor, 'YYYY-MM-DD"T"HH24:MI:SS') AS anchor,
       s.of_days,
       s.time_zone AS series_time_zone,
       to_char(o.slot, 'YYYY-MM-DD"T"HH24:MI:SS') AS slot,
       o.status,
       instant(o.completed_at) AS completed_at,
       o.time_zone,
       o.reminder_offset,
       instant(o.due_at) AS due_at,
       to_char(o.due_day, 'YYYY-MM-DD') AS due_day,
       instant(o.start_at) AS start_at,
       to_char(o.start_day, 'YYYY-MM-DD') AS start_day,
       to_char(u.day_reminder_time, 'HH24:MI') AS day_reminder_time,
       -- The tasks beneath it that the next one gets anew.
       CASE WHEN o.subtasks_total > 0
            THEN (SELECT coalesce(json_agg(json_build_object(
                             'id', x.id, 'revision', x.revision, 'due_at', instant(x.due_at),
                             'due_day', x.due_day, 'start_at', instant(x.start_at), 'start_day', x.start_day,
                             'time_zone', x.time_zone, 'reminder_offset', x.reminder_offset)), '[]')
                  FROM jsonb_to_recordset(occurrence_steps($1::int8, $2::int8))
                       AS x (id int8, revision int8, due_at timestamptz, due_day text, start_at timestamptz,
                             start_day text, time_zone text, reminder_offset text))::text
            ELSE '[]' END AS steps,
       o.deleted,
       (s.ended_at IS NOT NULL
        OR EXISTS (SELECT FROM occurrences successor
                   WHERE successor.predecessor_task_id = $2::int8 AND successor.state <> 'withdrawn')) AS followed,
       -- Slots of other occurrences.
       (SELECT coalesce(json_agg(to_char(other.slot, 'YYYY-MM-DD"T"HH24:MI:SS') ORDER BY other.slot), '[]')::text
        FROM occurrences other
        WHERE other.series_id = s.id AND other.slot > o.slot AND other.scheduled
          AND other.state <> 'withdrawn') AS taken,
       -- An occurrence that was deleted while pending was not completed.
       CASE WHEN s.counts_completions
            THEN (SELECT count(*) FROM occurrences c
                  WHERE c.series_id = s.id AND NOT c.scheduled AND c.state = 'live' AND c.deleted_task IS NULL)
            ELSE 0 END AS completions
FROM (SELECT 1) AS one
LEFT JOIN (occurrence o JOIN series s ON s.id = o.series_id JOIN users u ON u.id = $1::int8) ON true
LIMIT 1
