-- Webhooks: URLs that receive a user's events.

SET LOCAL ROLE rondo_owner;

CREATE TABLE webhooks (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT webhooks_pkey PRIMARY KEY,
    user_id bigint NOT NULL CONSTRAINT webhooks_user REFERENCES users ON DELETE CASCADE,
    url text NOT NULL,
    events text[] NOT NULL,
    -- Signs deliveries, so it cannot be a hash. Only webhook_deliveries_claim returns it.
    secret text NOT NULL,
    -- The previous secret, which also signs until then, so that a receiver can switch.
    previous_secret text,
    previous_secret_until timestamptz,
    created_at timestamptz NOT NULL,
    -- Earlier events are not delivered, so that a replay sends nothing to a new webhook.
    active_since timestamptz NOT NULL,
    -- The time since which every delivery has failed; null while they succeed.
    failing_since timestamptz,
    disabled_at timestamptz,
    disabled_reason text
        CONSTRAINT webhooks_disabled_reason CHECK (disabled_reason IN ('owner', 'gone', 'failing', 'recovery')),
    CONSTRAINT webhooks_disabled_for_a_reason CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL)),
    CONSTRAINT webhooks_previous_secret CHECK ((previous_secret IS NULL) = (previous_secret_until IS NULL))
);
CREATE INDEX webhooks_of_user ON webhooks (user_id, id);

-- A webhook as the API answers it, without its secret.
CREATE FUNCTION webhook_json(w webhooks) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', (w).id, 'url', (w).url, 'events', (w).events, 'enabled', (w).disabled_at IS NULL,
    'disabled_reason', (w).disabled_reason, 'disabled_at', instant((w).disabled_at),
    'failing_since', instant((w).failing_since), 'created_at', instant((w).created_at));

-- Creates a webhook; p_mail notifies the owner (account_notice_write). Outcomes: made; too_many (the
-- user has p_max); session_ended (session_lock).
CREATE FUNCTION webhook_create(p_user bigint, p_issued_at_s bigint, p_url text, p_events text[], p_secret text,
                               p_max bigint, p_mail jsonb)
RETURNS TABLE (outcome text, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    at timestamptz := clock_timestamp();
    made webhooks;
BEGIN
    IF NOT session_lock(p_user, p_issued_at_s) THEN
        RETURN QUERY SELECT 'session_ended', NULL::text;
        RETURN;
    END IF;
    IF (SELECT count(*) FROM webhooks WHERE user_id = p_user) >= p_max THEN
        RETURN QUERY SELECT 'too_many', NULL::text;
        RETURN;
    END IF;
    INSERT INTO webhooks (user_id, url, events, secret, created_at, active_since)
    VALUES (p_user, p_url, p_events, p_secret, at, at)
    RETURNING * INTO made;
    PERFORM account_notice_write(p_user, p_mail);
    RETURN QUERY SELECT 'made', webhook_json(made)::text;
END $$;

-- A user's webhooks, or one of them, newest first, as a JSON array.
CREATE FUNCTION webhooks_of(p_user bigint, p_id bigint) RETURNS TABLE (answer text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(json_agg(webhook_json(w) ORDER BY w.id DESC), '[]')::text
    FROM webhooks w WHERE w.user_id = p_user AND (p_id IS NULL OR w.id = p_id)
$$;

-- Disables a webhook whose row is locked. A delivery in flight may finish; pending ones are cancelled.
CREATE FUNCTION webhook_disable(p_id bigint, p_reason text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := clock_timestamp();
BEGIN
    UPDATE webhooks SET disabled_at = at, disabled_reason = p_reason WHERE id = p_id;
    UPDATE webhook_deliveries SET status = 'cancelled', next_attempt_at = NULL, leased = false
    WHERE webhook_id = p_id AND status = 'pending' AND (NOT leased OR next_attempt_at <= at);
END $$;

-- Changes the members that are not null. A new URL starts without the old one's failures, and p_mail notifies
-- the owner of it. Outcomes: changed; unknown; session_ended.
CREATE FUNCTION webhook_change(p_user bigint, p_issued_at_s bigint, p_id bigint, p_url text, p_events text[],
                               p_enabled boolean, p_mail jsonb)
RETURNS TABLE (outcome text, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    w webhooks;
BEGIN
    IF NOT session_lock(p_user, p_issued_at_s) THEN
        RETURN QUERY SELECT 'session_ended', NULL::text;
        RETURN;
    END IF;
    SELECT * INTO w FROM webhooks WHERE user_id = p_user AND id = p_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'unknown', NULL::text;
        RETURN;
    END IF;
    IF p_url <> w.url THEN
        UPDATE webhooks SET url = p_url, failing_since = NULL WHERE id = p_id;
        PERFORM account_notice_write(p_user, p_mail);
    END IF;
    UPDATE webhooks SET events = p_events WHERE id = p_id AND p_events IS NOT NULL;
    IF p_enabled AND w.disabled_at IS NOT NULL THEN
        UPDATE webhooks
        SET disabled_at = NULL, disabled_reason = NULL, failing_since = NULL, active_since = clock_timestamp()
        WHERE id = p_id;
    ELSIF NOT p_enabled AND w.disabled_at IS NULL THEN
        PERFORM webhook_disable(p_id, 'owner');
    END IF;
    RETURN QUERY SELECT 'changed', webhook_json(c)::text FROM webhooks c WHERE c.id = p_id;
END $$;

-- Rotates a webhook's secret. The previous one also signs for p_overlap_s; an older one ends. Outcomes:
-- renewed; unknown; session_ended.
CREATE FUNCTION webhook_secret_renew(p_user bigint, p_issued_at_s bigint, p_id bigint, p_secret text,
                                     p_overlap_s bigint)
RETURNS TABLE (outcome text, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    w webhooks;
BEGIN
    IF NOT session_lock(p_user, p_issued_at_s) THEN
        RETURN QUERY SELECT 'session_ended', NULL::text;
        RETURN;
    END IF;
    UPDATE webhooks
    SET secret = p_secret, previous_secret = secret,
        previous_secret_until = clock_timestamp() + p_overlap_s * interval '1 second'
    WHERE user_id = p_user AND id = p_id
    RETURNING * INTO w;
    RETURN QUERY SELECT CASE WHEN FOUND THEN 'renewed' ELSE 'unknown' END,
                        CASE WHEN FOUND THEN webhook_json(w)::text END;
END $$;

-- Deletes a webhook with its deliveries. Outcomes: deleted; unknown.
CREATE FUNCTION webhook_delete(p_user bigint, p_id bigint) RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM webhooks WHERE user_id = p_user AND id = p_id;
    RETURN QUERY SELECT CASE WHEN FOUND THEN 'deleted' ELSE 'unknown' END;
END $$;

GRANT SELECT (id, user_id, disabled_at) ON webhooks TO rondo_notify;
GRANT EXECUTE ON FUNCTION webhook_create, webhooks_of, webhook_change, webhook_secret_renew, webhook_delete
    TO rondo_notify;

RESET ROLE;
