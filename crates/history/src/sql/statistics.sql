-- The number of events by type and by day (in UTC), as a JSON object.
-- $1 user (null: all), $2 and $3 range of the events' times, inclusive (null: no bound)
WITH counted AS (
    SELECT l.action_type, (l.occurred_at AT TIME ZONE 'UTC')::date AS day, count(*) AS events
    FROM audit_logs l
    WHERE ($1::int8 IS NULL OR l.user_id = $1::int8)
      AND ($2::text IS NULL OR l.occurred_at >= $2::text::timestamptz)
      AND ($3::text IS NULL OR l.occurred_at <= $3::text::timestamptz)
    GROUP BY 1, 2
)
SELECT json_build_object(
    'total', coalesce((SELECT sum(events) FROM counted), 0),
    'by_action_type', coalesce((SELECT json_object_agg(action_type, events ORDER BY action_type)
                                FROM (SELECT action_type, sum(events) AS events FROM counted GROUP BY 1) AS x),
                               '{}'),
    'by_day', coalesce((SELECT json_agg(json_build_object('date', day, 'count', events) ORDER BY day)
                        FROM (SELECT day, sum(events) AS events FROM counted GROUP BY 1) AS x), '[]'))::text
    AS statistics
