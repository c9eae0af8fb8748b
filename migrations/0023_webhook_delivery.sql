-- Deliveries of events to webhooks.

SET LOCAL ROLE rondo_owner;

-- One row per webhook and event. Lock order: the webhook, then its deliveries.
CREATE TABLE webhook_deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT webhook_deliveries_pkey PRIMARY KEY,
    webhook_id bigint NOT NULL CONSTRAINT webhook_deliveries_webhook REFERENCES webhooks ON DELETE CASCADE,
    event_id uuid NOT NULL,
    event_type text NOT NULL,
    -- The body: the event's value as published.
    payload text NOT NULL,
    traceparent text,
    status text NOT NULL DEFAULT 'pending'
        CONSTRAINT webhook_deliveries_status CHECK (status IN ('pending', 'delivered', 'failed', 'cancelled')),
    -- The total, and those since it was last requested.
    attempts integer NOT NULL DEFAULT 0,
    tries integer NOT NULL DEFAULT 0,
    -- Whether an attempt is running; its lease ends at next_attempt_at.
    leased boolean NOT NULL DEFAULT false,
    next_attempt_at timestamptz,
    last_attempt_at timestamptz,
    -- The response to the last attempt, or why there was none.
    answer_status integer,
    answer text,
    last_error text,
    created_at timestamptz NOT NULL,
    delivered_at timestamptz,
    CONSTRAINT webhook_deliveries_once UNIQUE (webhook_id, event_id)
);
CREATE INDEX webhook_deliveries_to_send ON webhook_deliveries (webhook_id, next_attempt_at) WHERE status = 'pending';
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_attempt_at) WHERE status = 'pending';
CREATE INDEX webhook_deliveries_under_way ON webhook_deliveries (webhook_id) WHERE status = 'pending' AND leased;
CREATE INDEX webhook_deliveries_of_webhook ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (created_at);

-- A delivery as the API answers it.
CREATE FUNCTION webhook_delivery_json(d webhook_deliveries) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', (d).id, 'event_id', (d).event_id, 'event_type', (d).event_type, 'status', (d).status,
    'attempts', (d).attempts, 'answer_status', (d).answer_status, 'answer', (d).answer,
    'last_error', (d).last_error, 'last_attempt_at', instant((d).last_attempt_at),
    'next_attempt_at', instant((d).next_attempt_at), 'delivered_at', instant((d).delivered_at),
    'created_at', instant((d).created_at));

-- Queues a test delivery, also for a disabled webhook. Outcomes: made; unknown; session_ended.
CREATE FUNCTION webhook_test(p_user bigint, p_issued_at_s bigint, p_id bigint, p_type text, p_trace text)
RETURNS TABLE (outcome text, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    at timestamptz := clock_timestamp();
    event uuid := gen_random_uuid();
    made webhook_deliveries;
BEGIN
    IF NOT session_lock(p_user, p_issued_at_s) THEN
        RETURN QUERY SELECT 'session_ended', NULL::text;
        RETURN;
    END IF;
    INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, payload, traceparent, created_at,
                                    next_attempt_at)
    SELECT w.id, event, p_type,
           event_value(event, p_type, at, ',"user_id":' || p_user || ',"webhook_id":' || p_id),
           p_trace, at, at
    FROM webhooks w WHERE w.user_id = p_user AND w.id = p_id
    FOR SHARE
    RETURNING * INTO made;
    IF FOUND THEN
        RETURN QUERY SELECT 'made', webhook_delivery_json(made)::text;
    ELSE
        RETURN QUERY SELECT 'unknown', NULL::text;
    END IF;
END $$;

-- Queues a delivery again, whatever its outcome. One in flight stays as it is. Outcomes: sent; unknown;
-- session_ended.
CREATE FUNCTION webhook_redeliver(p_user bigint, p_issued_at_s bigint, p_webhook bigint, p_id bigint)
RETURNS TABLE (outcome text, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    at timestamptz := clock_timestamp();
    d webhook_deliveries;
BEGIN
    IF NOT session_lock(p_user, p_issued_at_s) THEN
        RETURN QUERY SELECT 'session_ended', NULL::text;
        RETURN;
    END IF;
    PERFORM FROM webhooks WHERE user_id = p_user AND id = p_webhook FOR SHARE;
    IF FOUND THEN
        UPDATE webhook_deliveries
        SET status = 'pending', tries = 0, leased = false, next_attempt_at = at
        WHERE id = p_id AND webhook_id = p_webhook
          AND NOT (status = 'pending' AND leased AND next_attempt_at > at);
        SELECT * INTO d FROM webhook_deliveries WHERE id = p_id AND webhook_id = p_webhook;
    END IF;
    IF d.id IS NULL THEN
        RETURN QUERY SELECT 'unknown', NULL::text;
    ELSE
        RETURN QUERY SELECT 'sent', webhook_delivery_json(d)::text;
    END IF;
END $$;

-- Queues a batch of events, each once for each enabled webhook of its user that subscribes to its type.
-- Inserts in key order, so that two batches with the same events cannot deadlock. Skips events older than
-- p_days.
CREATE FUNCTION webhook_deliveries_record(p_event_ids text[], p_types text[], p_users text[], p_times text[],
                                          p_traces text[], p_payloads text[], p_days bigint)
RETURNS TABLE (recorded bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    now timestamptz := clock_timestamp();
    rows bigint;
BEGIN
    WITH target AS MATERIALIZED (
        SELECT w.id, w.user_id, w.events, w.active_since FROM webhooks w
        WHERE w.user_id = ANY (p_users::bigint[]) AND w.disabled_at IS NULL
        ORDER BY w.id
        FOR SHARE
    )
    INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, payload, traceparent, created_at,
                                    next_attempt_at)
    SELECT t.id, e.id::uuid, e.type, e.payload, e.trace, now, now
    FROM unnest(p_event_ids, p_types, p_users, p_times, p_traces, p_payloads)
         AS e (id, type, user_id, at, trace, payload)
    JOIN target t ON t.user_id = e.user_id::bigint
    WHERE e.type = ANY (t.events) AND e.at::timestamptz >= t.active_since
      AND e.at::timestamptz > now - p_days * interval '1 day'
    ORDER BY t.id, e.id::uuid
    ON CONFLICT ON CONSTRAINT webhook_deliveries_once DO NOTHING;
    GET DIAGNOSTICS rows = ROW_COUNT;
    RETURN QUERY SELECT rows;
END $$;

-- Claims due deliveries, for a lease. A webhook has at most p_per_webhook in flight, and one while it fails,
-- so that a hanging receiver blocks no other. Claims run one at a time, because each counts those in flight.
-- `secrets`: each signs.
CREATE FUNCTION webhook_deliveries_claim(p_limit integer, p_per_webhook integer, p_lease_ms bigint)
RETURNS TABLE (id bigint, webhook_id bigint, attempts integer, tries integer, event_id text, event_type text,
               url text, secrets text[], payload text, traceparent text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := clock_timestamp();
BEGIN
    -- Usually nothing is due; this costs one index lookup.
    IF NOT EXISTS (SELECT FROM webhook_deliveries d WHERE d.status = 'pending' AND d.next_attempt_at <= at)
       OR NOT pg_try_advisory_xact_lock(hashtextextended('webhook_deliveries_claim', 0)) THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH RECURSIVE waiting (webhook_id, first_at) AS (
        -- One index lookup per webhook with a backlog, however long that is.
        (SELECT d.webhook_id, d.next_attempt_at FROM webhook_deliveries d
         WHERE d.status = 'pending' ORDER BY d.webhook_id, d.next_attempt_at LIMIT 1)
        UNION ALL
        SELECT n.webhook_id, n.next_attempt_at FROM waiting x
        CROSS JOIN LATERAL (
            SELECT d.webhook_id, d.next_attempt_at FROM webhook_deliveries d
            WHERE d.status = 'pending' AND d.webhook_id > x.webhook_id
            ORDER BY d.webhook_id, d.next_attempt_at LIMIT 1
        ) AS n
    ), free AS MATERIALIZED (
        SELECT o.webhook_id, o.places FROM (
            SELECT x.webhook_id, x.first_at, CASE WHEN w.failing_since IS NULL THEN p_per_webhook ELSE 1 END
                   - (SELECT count(*) FROM webhook_deliveries u
                      WHERE u.webhook_id = x.webhook_id AND u.status = 'pending' AND u.leased
                        AND u.next_attempt_at > at) AS places
            FROM waiting x JOIN webhooks w ON w.id = x.webhook_id
            WHERE x.first_at <= at
        ) AS o
        WHERE o.places > 0
        ORDER BY o.first_at
        LIMIT p_limit
    ), due AS MATERIALIZED (
        -- Round robin: the first delivery of each webhook, then the second.
        SELECT c.id FROM (
            SELECT f.id, f.next_attempt_at,
                   row_number() OVER (PARTITION BY o.webhook_id ORDER BY f.next_attempt_at) AS place
            FROM free o
            CROSS JOIN LATERAL (
                SELECT d.id, d.next_attempt_at FROM webhook_deliveries d
                WHERE d.webhook_id = o.webhook_id AND d.status = 'pending' AND d.next_attempt_at <= at
                ORDER BY d.next_attempt_at
                LIMIT o.places
                FOR UPDATE SKIP LOCKED
            ) AS f
        ) AS c
        ORDER BY c.place, c.next_attempt_at
        LIMIT p_limit
    ), claimed AS (
        UPDATE webhook_deliveries d
        SET attempts = d.attempts + 1, tries = d.tries + 1, leased = true, last_attempt_at = at,
            next_attempt_at = at + p_lease_ms * interval '1 millisecond'
        FROM due WHERE d.id = due.id
        RETURNING d.*
    )
    SELECT c.id, c.webhook_id, c.attempts, c.tries, c.event_id::text, c.event_type, w.url,
           array_remove(ARRAY[w.secret, CASE WHEN w.previous_secret_until > at THEN w.previous_secret END], NULL),
           c.payload, c.traceparent
    FROM claimed c JOIN webhooks w ON w.id = c.webhook_id
    ORDER BY c.id;
END $$;

-- Records the outcome of attempt p_attempt. p_outcome: delivered; retry, after p_retry_ms; failed, for good;
-- gone: failed, and the receiver wants no more. A webhook is disabled if its receiver is gone, or if a
-- delivery fails for good after p_failing_ms without success; p_mail ({"subject", "text", "html",
-- "lifetime_s"}) notifies the owner if the address is verified. p_is_test: a failure does not count against
-- the webhook. Returns: recorded; disabled; stale (another attempt has the delivery, or it has ended).
CREATE FUNCTION webhook_delivery_settle(p_id bigint, p_attempt integer, p_outcome text, p_is_test boolean,
                                        p_status integer, p_answer text, p_error text, p_retry_ms bigint,
                                        p_failing_ms bigint, p_mail jsonb)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    at timestamptz := clock_timestamp();
    w webhooks;
    trace text;
    reason text;
    is_retried boolean;
BEGIN
    SELECT * INTO w FROM webhooks
    WHERE id = (SELECT d.webhook_id FROM webhook_deliveries d WHERE d.id = p_id)
    FOR NO KEY UPDATE;
    -- A webhook disabled in the meantime gets no further attempt.
    is_retried := p_outcome = 'retry' AND w.disabled_at IS NULL;
    UPDATE webhook_deliveries
    SET status = CASE WHEN p_outcome = 'delivered' THEN 'delivered' WHEN is_retried THEN 'pending' ELSE 'failed' END,
        leased = false, answer_status = p_status, answer = p_answer, last_error = p_error,
        next_attempt_at = CASE WHEN is_retried THEN at + p_retry_ms * interval '1 millisecond' END,
        delivered_at = CASE WHEN p_outcome = 'delivered' THEN at ELSE delivered_at END
    WHERE id = p_id AND status = 'pending' AND leased AND attempts = p_attempt
    RETURNING traceparent INTO trace;
    IF NOT FOUND THEN
        RETURN 'stale';
    END IF;
    IF p_outcome = 'delivered' THEN
        UPDATE webhooks SET failing_since = NULL WHERE id = w.id AND failing_since IS NOT NULL;
        RETURN 'recorded';
    END IF;
    IF p_is_test OR w.disabled_at IS NOT NULL THEN
        RETURN 'recorded';
    END IF;
    UPDATE webhooks SET failing_since = at WHERE id = w.id AND failing_since IS NULL;
    reason := CASE
        WHEN p_outcome = 'gone' THEN 'gone'
        WHEN p_outcome = 'failed' AND w.failing_since <= at - p_failing_ms * interval '1 millisecond' THEN 'failing'
    END;
    IF reason IS NULL THEN
        RETURN 'recorded';
    END IF;
    PERFORM webhook_disable(w.id, reason);
    INSERT INTO account_mails (user_id, email, purpose, subject, body_text, body_html, traceparent, expires_at)
    SELECT u.id, u.email, 'webhook_disabled', p_mail->>'subject', p_mail->>'text', p_mail->>'html', trace,
           at + (p_mail->>'lifetime_s')::bigint * interval '1 second'
    FROM users u
    WHERE u.id = w.user_id AND u.email IS NOT NULL AND u.email_verified_at IS NOT NULL AND p_mail IS NOT NULL;
    RETURN 'disabled';
END $$;

-- Deletes old deliveries that have ended; returns the number of rows.
CREATE FUNCTION webhook_deliveries_retain(p_days integer, p_limit integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM webhook_deliveries WHERE id IN (
            SELECT id FROM webhook_deliveries
            WHERE created_at < clock_timestamp() - p_days * interval '1 day' AND status <> 'pending'
            ORDER BY created_at LIMIT p_limit)
        RETURNING 1)
    SELECT count(*) FROM gone
$$;

GRANT SELECT ON webhook_deliveries TO rondo_notify;
GRANT EXECUTE ON FUNCTION webhook_delivery_json, webhook_test, webhook_redeliver, webhook_deliveries_record
    TO rondo_notify;
GRANT EXECUTE ON FUNCTION webhook_deliveries_claim, webhook_delivery_settle, webhook_deliveries_retain
    TO rondo_bridge;

RESET ROLE;
