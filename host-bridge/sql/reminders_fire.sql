-- What is about to fire is read first, in the same order: the function doesn't say how late it is.
WITH due AS MATERIALIZED (
    SELECT greatest(remind_at, armed_at) AS at FROM reminders
    WHERE state = 'armed' AND remind_at <= clock_timestamp()
    ORDER BY remind_at
    LIMIT $1::integer
), fired AS MATERIALIZED (
    SELECT fired, missed FROM reminders_fire($1::integer, $2::integer)
)
SELECT fired, missed, ARRAY(
    SELECT extract(epoch FROM clock_timestamp() - at)::double precision FROM due
    WHERE at >= now() - $2::integer * interval '1 minute'
    LIMIT fired
) AS lateness_s
FROM fired
