-- The daily digest.

SET LOCAL ROLE rondo_owner;

-- Advances digests by steps that the clock has calculated, one per user: user_id; digest_at and time_zone,
-- which the step was calculated from; due, the digest that is due (null if none was planned); next; and day,
-- the digest's local day (null if none is sent). A step does nothing if its user has changed since, or
-- another clock was first. Returns the number of digests that came due.
CREATE FUNCTION digests_advance(p_steps jsonb, p_trace text) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH step AS MATERIALIZED (
        SELECT u.id, s.next, s.day
        FROM jsonb_to_recordset(p_steps)
            AS s (user_id bigint, digest_at time, time_zone text, due timestamptz, next timestamptz, day date)
        JOIN users u ON u.id = s.user_id AND u.digest_at = s.digest_at AND u.time_zone = s.time_zone
            AND u.next_digest_at = coalesce(s.due, '-infinity'::timestamptz)
        FOR UPDATE OF u SKIP LOCKED
    ), moved AS (
        UPDATE users u SET next_digest_at = step.next
        FROM step WHERE u.id = step.id
        RETURNING u.id, step.day, gen_random_uuid() AS event_id, clock_timestamp() AS at
    ), emitted AS (
        INSERT INTO outbox (event_id, event_type, user_id, occurred_at, traceparent, payload)
        SELECT m.event_id, 'digest.due', m.id, m.at, p_trace,
               event_value(m.event_id, 'digest.due', m.at,
                           ',"user_id":' || m.id || ',"day":"' || to_char(m.day, 'YYYY-MM-DD') || '"')
        FROM moved m WHERE m.day IS NOT NULL
        RETURNING 1
    )
    SELECT count(*) FROM emitted
$$;

-- Records a digest, one per user and local day, and marks the missed reminders that it names (by their
-- notifications' ids). `p_mail`: subject, text, html, unsubscribe_url. Outcomes: recorded; exists.
CREATE FUNCTION digest_record(p_user bigint, p_day text, p_mail jsonb, p_missed jsonb, p_trace text)
RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    at timestamptz := clock_timestamp();
    recorded bigint;
BEGIN
    INSERT INTO notifications (user_id, digest_day, channel, status, subject, body_text, body_html,
                               unsubscribe_url, traceparent, created_at, next_attempt_at)
    VALUES (p_user, p_day::date, 'email', 'pending', p_mail ->> 'subject', p_mail ->> 'text', p_mail ->> 'html',
            p_mail ->> 'unsubscribe_url', p_trace, at, at)
    ON CONFLICT ON CONSTRAINT notifications_digest_once DO NOTHING
    RETURNING id INTO recorded;
    IF recorded IS NULL THEN
        RETURN QUERY SELECT 'exists';
        RETURN;
    END IF;
    UPDATE notifications SET told_in = recorded
    WHERE user_id = p_user AND status = 'missed' AND told_in IS NULL
      AND id IN (SELECT value::bigint FROM jsonb_array_elements_text(p_missed));
    RETURN QUERY SELECT 'recorded';
END $$;

GRANT EXECUTE ON FUNCTION digests_advance TO rondo_bridge;
GRANT EXECUTE ON FUNCTION digest_record TO rondo_notify;

RESET ROLE;
