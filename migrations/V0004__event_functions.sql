-- What the bridge, the clock and the event capabilities change.

SET LOCAL ROLE rondo_owner;

-- Removes events that the transport has taken over.
CREATE FUNCTION outbox_remove(p_ids bigint[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH removed AS (DELETE FROM outbox WHERE id = ANY (p_ids) RETURNING 1)
    SELECT count(*) FROM removed
$$;

-- Fires up to p_limit reminders that are due: each is marked and its reminder.due put into the
-- outbox in one transaction. One that waits for longer than the window of lateness is recorded as
-- missed instead: nobody wants it now, and the next digest names it. Several clocks may run; none waits
-- for a row of another, and none takes a user's lock, or it would deadlock with the user's writers.
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
               '{"event_id":"' || f.event_id || '","schema_version":"1.0","event_type":"reminder.due"'
               || ',"timestamp":"' || instant(f.at) || '","task_id":' || f.task_id || ',"user_id":' || f.user_id
               || ',"revision":' || t.revision || reminder_members(f.id, f.remind_at, t.due_at)
               || ',"firing":' || f.firing || ',"task_data":' || t.representation || '}'
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

-- Records what is to be said about one firing of a reminder, once. `p_mail`: subject, text, html,
-- unsubscribe_url, and what it was rendered from: revision, due_date, remind_at; null when nothing is
-- to be sent. Outcomes: recorded; exists; stale (the reminder is gone).
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

-- Whether a mail may still be sent: its user wants it, and what it is about is as it says. One whose
-- task has another due date by now, though the reminder stands, would say something wrong: its
-- reminder is armed again, so that it fires anew at once and is rendered from the task as it is.
CREATE FUNCTION notification_stands(n notifications) RETURNS boolean
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    u users;
    r reminders;
    t tasks;
BEGIN
    SELECT * INTO u FROM users WHERE id = n.user_id;
    IF u.email IS NULL OR NOT u.notify_email THEN
        RETURN false;
    ELSIF n.digest_day IS NOT NULL THEN
        RETURN u.digest_at IS NOT NULL;
    END IF;
    SELECT * INTO r FROM reminders WHERE id = n.reminder_id;
    SELECT * INTO t FROM tasks WHERE id = n.task_id;
    IF r.id IS NULL OR t.id IS NULL OR t.status = 'completed' OR r.planned_at IS NULL
       OR (r.state, r.firing, r.remind_at) IS DISTINCT FROM ('fired', n.firing, n.remind_at) THEN
        RETURN false;
    ELSIF t.revision <> n.task_revision AND t.due_at IS DISTINCT FROM n.due_at THEN
        UPDATE reminders SET state = 'armed', armed_at = clock_timestamp()
        WHERE id = r.id AND state = 'fired' AND firing = n.firing AND remind_at = n.remind_at;
        RETURN false;
    END IF;
    RETURN true;
END $$;

-- Claims mails to send. A claim is a lease: when the mailer dies, the mail is claimed again after
-- it. Each mail is looked at again at every claim; one that does not stand any more is cancelled.
CREATE FUNCTION notifications_claim(p_limit integer, p_lease_ms bigint)
RETURNS TABLE (id bigint, attempts integer, email text, name text, subject text, body_text text,
               body_html text, unsubscribe_url text, traceparent text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    n notifications;
    at timestamptz := clock_timestamp();
BEGIN
    FOR n IN SELECT * FROM notifications
             WHERE status = 'pending' AND next_attempt_at <= at
             ORDER BY next_attempt_at
             LIMIT p_limit
             FOR UPDATE SKIP LOCKED
    LOOP
        IF notification_stands(n) THEN
            RETURN QUERY
            UPDATE notifications m
            SET attempts = m.attempts + 1, next_attempt_at = at + p_lease_ms * interval '1 millisecond'
            FROM users u
            WHERE m.id = n.id AND u.id = n.user_id
            RETURNING m.id, m.attempts, u.email, u.name, m.subject, m.body_text, m.body_html,
                      m.unsubscribe_url, m.traceparent;
        ELSE
            UPDATE notifications
            SET status = 'cancelled', next_attempt_at = NULL, subject = NULL, body_text = NULL,
                body_html = NULL, unsubscribe_url = NULL
            WHERE id = n.id;
        END IF;
    END LOOP;
END $$;

-- Records the outcome of an attempt. `p_retry_ms`: when to try again; null: the outcome is final,
-- sent without an error and failed with one, what the mail said is forgotten, and of a reminder an
-- event tells. An outcome that comes after the lease has run out and another attempt has ended it
-- changes nothing.
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

-- Records an event that a consumer could not handle, and announces it, once. A redriven one that
-- fails again is open again. `p_announce` is false for the dead letter of a dead letter.
CREATE FUNCTION dead_letter_record(p_event_id text, p_user bigint, p_consumer text, p_attempts integer,
                                   p_code text, p_message text, p_topic text, p_partition integer,
                                   p_offset bigint, p_key text, p_headers jsonb, p_value text,
                                   p_announce boolean, p_trace text)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    at timestamptz := clock_timestamp();
    recorded bigint;
    fresh boolean;
    announcement uuid := gen_random_uuid();
BEGIN
    INSERT INTO dead_letters AS d (event_id, consumer, state, attempts, error_code, error_message, topic,
                              partition, kafka_offset, key, headers, value, created_at, updated_at)
    VALUES (p_event_id::uuid, p_consumer, 'open', p_attempts, p_code, p_message, p_topic, p_partition,
            p_offset, p_key, p_headers, p_value, at, at)
    ON CONFLICT ON CONSTRAINT dead_letters_once DO UPDATE
    SET state = 'open', attempts = d.attempts + excluded.attempts, error_code = excluded.error_code,
        error_message = excluded.error_message, updated_at = at
    WHERE d.state <> 'discarded'
    RETURNING d.id, d.created_at = d.updated_at INTO recorded, fresh;
    IF fresh AND p_announce THEN
        INSERT INTO outbox (event_id, event_type, user_id, occurred_at, traceparent, payload)
        VALUES (announcement, 'event.dead_lettered', p_user, at, p_trace,
                json_build_object('event_id', announcement, 'schema_version', '1.0',
                    'event_type', 'event.dead_lettered', 'timestamp', instant(at),
                    'consumer', p_consumer, 'attempts', p_attempts,
                    'error', json_build_object('code', p_code, 'message', p_message),
                    'original', json_build_object('topic', p_topic, 'partition', p_partition,
                        'offset', p_offset, 'key', p_key, 'headers', p_headers, 'value', p_value))::text);
    END IF;
    RETURN recorded;
END $$;

-- Moves a dead letter on: redriving (asked for), redriven (done), discarded, open (failed again).
-- False when it is not in a state from which that is possible.
CREATE FUNCTION dead_letter_move(p_id bigint, p_state text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE dead_letters SET state = p_state, updated_at = clock_timestamp()
    WHERE id = p_id AND CASE p_state
        WHEN 'redriving' THEN state = 'open'
        WHEN 'discarded' THEN state = 'open'
        WHEN 'redriven' THEN state = 'redriving'
        WHEN 'open' THEN state = 'redriving'
        ELSE false END;
    RETURN FOUND;
END $$;

-- Notes which transport the events travel by.
CREATE FUNCTION transport_set(p_name text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO transport (name, since) VALUES (p_name, clock_timestamp())
    ON CONFLICT ON CONSTRAINT transport_pkey DO UPDATE SET name = excluded.name, since = excluded.since
    WHERE transport.name <> excluded.name
$$;

-- Retention. Each call removes a bounded number of rows and tells how many.

CREATE FUNCTION audit_retain(p_days integer, p_limit integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM audit_logs WHERE id IN (
            SELECT id FROM audit_logs WHERE recorded_at < clock_timestamp() - p_days * interval '1 day'
            ORDER BY recorded_at LIMIT p_limit)
        RETURNING 1)
    SELECT count(*) FROM gone
$$;

-- Forgets tombstones of one user at a time, for work over many users in one transaction would take
-- many locks. The horizon keeps an older cursor from being continued as if nothing was missing.
CREATE FUNCTION deletions_retain(p_days integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    before timestamptz := clock_timestamp() - p_days * interval '1 day';
    whose bigint;
    horizon bigint;
    removed bigint;
BEGIN
    SELECT d.user_id INTO whose FROM deletions d WHERE d.deleted_at < before ORDER BY d.deleted_at LIMIT 1;
    IF whose IS NULL THEN
        RETURN 0;
    END IF;
    WITH gone AS (DELETE FROM deletions d WHERE d.user_id = whose AND d.deleted_at < before RETURNING d.revision)
    SELECT max(revision), count(*) INTO horizon, removed FROM gone;
    INSERT INTO deletion_horizons (user_id, revision) VALUES (whose, horizon)
    ON CONFLICT ON CONSTRAINT deletion_horizons_pkey DO UPDATE
    SET revision = greatest(deletion_horizons.revision, excluded.revision);
    RETURN removed;
END $$;

CREATE FUNCTION idempotency_retain(p_hours integer, p_limit integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM idempotency_keys k
        USING (SELECT user_id, request, key FROM idempotency_keys
               WHERE created_at < clock_timestamp() - p_hours * interval '1 hour'
               ORDER BY created_at LIMIT p_limit) AS old
        WHERE (k.user_id, k.request, k.key) = (old.user_id, old.request, old.key)
        RETURNING 1)
    SELECT count(*) FROM gone
$$;

CREATE FUNCTION refresh_tokens_retain(p_limit integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM refresh_tokens WHERE token_hash IN (
            SELECT token_hash FROM refresh_tokens WHERE expires_at < clock_timestamp()
            ORDER BY expires_at LIMIT p_limit)
        RETURNING 1)
    SELECT count(*) FROM gone
$$;

RESET ROLE;
