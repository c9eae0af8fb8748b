-- One page of audit logs as a JSON array, newest first.
-- $1 user (null: all), $2 type (null: all), $3 task (null: all), $4 and $5 range of the events' times,
-- inclusive (null: no bound), $6 id after which the page begins (null: the newest), $7 limit
WITH page AS (
    SELECT l.*, row_number() OVER (ORDER BY l.id DESC) AS place
    FROM audit_logs l
    WHERE ($1::int8 IS NULL OR l.user_id = $1::int8)
      AND ($2::text IS NULL OR l.action_type = $2::text)
      AND ($3::int8 IS NULL OR l.task_id = $3::int8)
      AND ($4::text IS NULL OR l.occurred_at >= $4::text::timestamptz)
      AND ($5::text IS NULL OR l.occurred_at <= $5::text::timestamptz)
      AND l.id < coalesce($6::int8, 9223372036854775807)
    ORDER BY l.id DESC
    LIMIT $7::int8 + 1
)
SELECT '[' || coalesce(string_agg(json_build_object(
           'id', id, 'event_id', event_id, 'action_type', action_type, 'user_id', user_id,
           'task_id', task_id, 'occurred_at', instant(occurred_at), 'recorded_at', instant(recorded_at),
           'topic', topic, 'payload', payload)::text, ',' ORDER BY id DESC) FILTER (WHERE place <= $7::int8), '')
           || ']' AS items,
       min(id) FILTER (WHERE place <= $7::int8) AS last_id,
       count(*) > $7::int8 AS more
FROM page
