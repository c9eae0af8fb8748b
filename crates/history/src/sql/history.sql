-- One page of the changes of a task as a JSON array, newest first, each with the members that it changed.
-- $1 user, $2 task, $3 revision before which the page begins (null: the newest), $4 limit
WITH page AS (
    SELECT l.event_id, l.action_type, l.occurred_at, (l.payload ->> 'revision')::int8 AS revision,
           l.payload -> 'task_data' AS task, l.payload ->> 'actor' AS actor, l.payload ->> 'client' AS client
    FROM audit_logs l
    WHERE l.user_id = $1::int8 AND l.task_id = $2::int8 AND l.action_type LIKE 'task.%'
      AND (l.payload ->> 'revision')::int8 < coalesce($3::int8, 9223372036854775807)
    ORDER BY (l.payload ->> 'revision')::int8 DESC
    LIMIT $4::int8 + 1
), compared AS (
    SELECT p.*, lead(p.task) OVER newest AS before, row_number() OVER newest AS place
    FROM page p
    WINDOW newest AS (ORDER BY p.revision DESC)
)
SELECT '[' || coalesce(string_agg(json_build_object(
           'event_id', c.event_id, 'event_type', c.action_type, 'user_id', $1::int8,
           'occurred_at', instant(c.occurred_at), 'revision', c.revision, 'actor', c.actor, 'client', c.client,
           'changes', d.changes)::text, ','
           ORDER BY c.revision DESC) FILTER (WHERE c.place <= $4::int8), '') || ']' AS items,
       min(c.revision) FILTER (WHERE c.place <= $4::int8) AS last_revision,
       count(*) > $4::int8 AS more
FROM compared c
CROSS JOIN LATERAL (
    -- What came before the oldest one may have been deleted by now.
    SELECT CASE WHEN c.before IS NOT NULL OR c.action_type = 'task.created' THEN coalesce(
               json_object_agg(n.key, json_build_object('from', b.value, 'to', n.value)), '{}') END AS changes
    FROM jsonb_each(c.task) n
    LEFT JOIN jsonb_each(c.before) b ON b.key = n.key
    WHERE n.value <> coalesce(b.value, 'null') AND n.key NOT IN ('revision', 'updated_at')
) AS d
