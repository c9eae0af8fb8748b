-- The series of a task, its slot, and what decides about the next one.
-- $1 user, $2 task
SELECT s.id IS NOT NULL AS is_known,
       s.recurrence_rule::text AS rule,
       to_char(s.anchor, 'YYYY-MM-DD"T"HH24:MI:SS') AS anchor,
       s.of_days,
       s.time_zone,
       to_char(t.slot, 'YYYY-MM-DD"T"HH24:MI:SS') AS slot,
       -- Slots of other occurrences.
       (SELECT coalesce(json_agg(to_char(o.slot, 'YYYY-MM-DD"T"HH24:MI:SS')), '[]')::text
        FROM occurrences o
        WHERE o.series_id = s.id AND o.slot > t.slot AND o.scheduled AND o.state <> 'withdrawn') AS taken,
       CASE WHEN s.counts_completions
            THEN (SELECT count(*) FROM occurrences c
                  WHERE c.series_id = s.id AND NOT c.scheduled AND c.state = 'live' AND c.deleted_task IS NULL
                    AND c.task_id <> t.id)
            ELSE 0 END AS completions
FROM (SELECT 1) AS one
LEFT JOIN (tasks t JOIN series s ON s.id = t.series_id) ON t.id = $2::int8 AND t.user_id = $1::int8
