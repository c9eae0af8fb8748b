-- Notifications: due reminders, digests, and their mails.

SET LOCAL ROLE rondo_owner;

-- One row per reminder, firing and channel, and one per digest: the mail and its outcome. A final outcome
-- deletes a mail's content, because its links can change tasks.
CREATE TABLE notifications (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT notifications_pkey PRIMARY KEY,
    user_id bigint NOT NULL,
    -- Null for a digest.
    task_id bigint,
    reminder_id bigint,
    firing integer,
    -- The user's local day of a digest.
    digest_day date,
    channel text NOT NULL CONSTRAINT notifications_channel CHECK (channel IN ('email')),
    status text NOT NULL
        CONSTRAINT notifications_status CHECK (status IN ('pending', 'sent', 'failed', 'cancelled', 'missed')),
    attempts integer NOT NULL DEFAULT 0,
    last_error text,
    subject text,
    body_text text,
    body_html text,
    -- For the header List-Unsubscribe.
    unsubscribe_url text,
    -- The state that the mail was rendered from: the task's revision and due date, and the moment of its
    -- reminder.
    task_revision bigint,
    due_at timestamptz,
    remind_at timestamptz,
    -- The digest that names a missed reminder.
    told_in bigint,
    traceparent text,
    created_at timestamptz NOT NULL,
    next_attempt_at timestamptz,
    sent_at timestamptz,
    CONSTRAINT notifications_once UNIQUE (reminder_id, firing, channel),
    CONSTRAINT notifications_digest_once UNIQUE (user_id, digest_day, channel),
    CONSTRAINT notifications_about CHECK ((digest_day IS NULL) = (reminder_id IS NOT NULL))
);
CREATE INDEX notifications_missed ON notifications (user_id, id) WHERE status = 'missed' AND told_in IS NULL;
CREATE INDEX notifications_to_send ON notifications (next_attempt_at) WHERE status = 'pending';
CREATE INDEX notifications_by_user ON notifications (user_id, id);

-- Fires up to p_limit due reminders: marks each and emits reminder.due in one transaction. A reminder later
-- than p_lateness_minutes is recorded as missed instead, for the next digest. Several clocks may run; none
-- waits for another's rows. None takes a user's lock, because it would deadlock with the user's writers.
CREATE FUNCTION reminders_fire(p_limit integer, p_lateness_minutes integer)
RETURNS TABLE (fired bigint, missed bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH due AS MATERIALIZED (
        SELECT r.id FROM reminders r
        WHERE r.state = 'armed' AND r.remind_at <= clock_timestamp()
        ORDER BY r.remind_at
        LIMIT p_limit
        FOR UPDATE SKIP LOCKED
    ), fired AS (
        UPDATE reminders r SET state = 'fired', firing = r.firing + 1
        FROM due WHERE r.id = due.id
        RETURNING r.*, gen_random_uuid() AS event_id, clock_timestamp() AS at,
                  greatest(r.remind_at, r.armed_at) < now() - p_lateness_minutes * interval '1 minute'
                      AS is_late
    ), emitted AS (
        INSERT INTO outbox (event_id, event_type, user_id, task_id, occurred_at, traceparent, payload)
        SELECT f.event_id, 'reminder.due', f.user_id, f.task_id, f.at, f.traceparent,
               event_value(f.event_id, 'reminder.due', f.at, task_members(
                   f.task_id, f.user_id, t.revision,
                   reminder_members(f.id, f.remind_at, t.due_at) || ',"firing":' || f.firing,
                   t.representation))
        FROM fired f JOIN tasks t ON t.id = f.task_id
        WHERE NOT f.is_late
    ), missed AS (
        INSERT INTO notifications (user_id, task_id, reminder_id, firing, channel, status, remind_at,
                                   traceparent, created_at)
        SELECT f.user_id, f.task_id, f.id, f.firing, 'email', 'missed', f.remind_at, f.traceparent, f.at
        FROM fired f WHERE f.is_late
    )
    SELECT count(*) FILTER (WHERE NOT f.is_late), count(*) FILTER (WHERE f.is_late) FROM fired f
$$;

-- Records the mail about one firing of a reminder, once. `p_mail`: subject, text, html, unsubscribe_url, and
-- the state that it was rendered from: revision, due_date, remind_at; null to send none. Outcomes: recorded;
-- exists; stale (the reminder is gone).
CREATE FUNCTION notification_record(p_reminder bigint, p_firing bigint, p_channel text, p_mail jsonb,
                                    p_trace text)
RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    at timestamptz := clock_timestamp();
    is_mail boolean := p_mail IS NOT NULL;
BEGIN
    IF NOT EXISTS (SELECT FROM reminders WHERE id = p_reminder) THEN
        RETURN QUERY SELECT 'stale';
        RETURN;
    END IF;
    INSERT INTO notifications (user_id, task_id, reminder_id, firing, channel, status, subject,
                               body_text, body_html, unsubscribe_url, task_revision, due_at, remind_at,
                               traceparent, created_at, next_attempt_at)
    SELECT r.user_id, r.task_id, r.id, p_firing, p_channel, CASE WHEN is_mail THEN 'pending' ELSE 'cancelled' END,
           p_mail ->> 'subject', p_mail ->> 'text', p_mail ->> 'html', p_mail ->> 'unsubscribe_url',
           (p_mail ->> 'revision')::bigint, (p_mail ->> 'due_date')::timestamptz,
           (p_mail ->> 'remind_at')::timestamptz, p_trace, at, CASE WHEN is_mail THEN at END
    FROM reminders r WHERE r.id = p_reminder
    ON CONFLICT ON CONSTRAINT notifications_once DO NOTHING;
    RETURN QUERY SELECT CASE WHEN FOUND THEN 'recorded' ELSE 'exists' END;
END $$;

-- Claims mails to send, for a lease: if the mailer dies, the mail is claimed again afterwards. `facts` is
-- JSON: what the mail states, and the current state, by which the mailer sends or cancels the mail
-- (rondo_contract::notification).
CREATE FUNCTION notifications_claim(p_limit integer, p_lease_ms bigint)
RETURNS TABLE (id bigint, attempts integer, email text, name text, subject text, body_text text,
               body_html text, unsubscribe_url text, traceparent text, facts text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := clock_timestamp();
BEGIN
    RETURN QUERY
    WITH due AS MATERIALIZED (
        SELECT n.id FROM notifications n
        WHERE n.status = 'pending' AND n.next_attempt_at <= at
        ORDER BY n.next_attempt_at
        LIMIT p_limit
        FOR UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE notifications n
        SET attempts = n.attempts + 1, next_attempt_at = at + p_lease_ms * interval '1 millisecond'
        FROM due WHERE n.id = due.id
        RETURNING n.*
    )
    SELECT n.id, n.attempts, coalesce(u.email, ''), u.name, n.subject, n.body_text, n.body_html,
           n.unsubscribe_url, n.traceparent,
           (CASE WHEN n.digest_day IS NOT NULL THEN json_build_object(
               'wants_mail', w.wants_mail, 'wants_digest', u.digest_at IS NOT NULL)
           ELSE json_build_object(
               'wants_mail', w.wants_mail, 'reminder_id', n.reminder_id, 'firing', n.firing,
               'remind_at', instant(n.remind_at), 'revision', n.task_revision, 'due_date', instant(n.due_at),
               'now', CASE WHEN t.id IS NOT NULL THEN json_build_object(
                   'is_fired', r.state = 'fired', 'is_planned', r.planned_at IS NOT NULL,
                   'firing', r.firing, 'remind_at', instant(r.remind_at),
                   'is_completed', t.status = 'completed', 'revision', t.revision,
                   'due_date', instant(t.due_at)) END)
           END)::text
    FROM claimed n
    LEFT JOIN users u ON u.id = n.user_id
    CROSS JOIN LATERAL (SELECT coalesce(u.notify_email, false) AS wants_mail) AS w
    LEFT JOIN (reminders r JOIN tasks t ON t.id = r.task_id) ON r.id = n.reminder_id
    ORDER BY n.id;
END $$;

-- Cancels a claimed mail without counting an attempt. `p_rearm`: its reminder, unless it has moved on, fires
-- again at once, so that a new mail is rendered.
CREATE FUNCTION notification_cancel(p_id bigint, p_rearm boolean) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    n notifications;
BEGIN
    UPDATE notifications
    SET status = 'cancelled', attempts = attempts - 1, next_attempt_at = NULL, subject = NULL,
        body_text = NULL, body_html = NULL, unsubscribe_url = NULL
    WHERE id = p_id AND status = 'pending'
    RETURNING * INTO n;
    IF p_rearm THEN
        UPDATE reminders SET state = 'armed', armed_at = clock_timestamp()
        WHERE id = n.reminder_id AND state = 'fired' AND firing = n.firing AND remind_at = n.remind_at;
    END IF;
    RETURN n.id IS NOT NULL;
END $$;

-- Records the outcome of an attempt. `p_retry_ms`: when to try again; null makes the outcome final: sent
-- without an error, failed with one. A final outcome deletes the mail's content and, for a reminder, emits an
-- event. Nothing changes if another attempt has settled the mail after the lease.
CREATE FUNCTION notification_settle(p_id bigint, p_error text, p_retry_ms bigint)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    at timestamptz := clock_timestamp();
    n notifications;
    t tasks;
BEGIN
    IF p_retry_ms IS NOT NULL THEN
        UPDATE notifications
        SET last_error = p_error, next_attempt_at = at + p_retry_ms * interval '1 millisecond'
        WHERE id = p_id AND status = 'pending';
        RETURN FOUND;
    END IF;
    UPDATE notifications
    SET status = CASE WHEN p_error IS NULL THEN 'sent' ELSE 'failed' END, last_error = p_error,
        sent_at = CASE WHEN p_error IS NULL THEN at END, next_attempt_at = NULL, subject = NULL,
        body_text = NULL, body_html = NULL, unsubscribe_url = NULL
    WHERE id = p_id AND status = 'pending'
    RETURNING * INTO n;
    IF NOT FOUND THEN
        RETURN false;
    ELSIF n.reminder_id IS NULL THEN
        RETURN true;
    END IF;
    SELECT * INTO t FROM tasks WHERE id = n.task_id;
    PERFORM emit('notification.' || n.status, n.user_id, n.task_id, coalesce(t.revision, 0), at,
                 ',"reminder_id":' || n.reminder_id || ',"notification_id":' || n.id || ',"channel":"'
                 || n.channel || '"',
                 coalesce(t.representation, '{}'), n.traceparent);
    RETURN true;
END $$;

GRANT SELECT ON notifications TO rondo_notify, rondo_bridge;
GRANT EXECUTE ON FUNCTION notification_record TO rondo_notify;
GRANT EXECUTE ON FUNCTION reminders_fire, notifications_claim, notification_cancel, notification_settle
    TO rondo_bridge;

RESET ROLE;
