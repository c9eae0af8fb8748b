-- Personal API tokens.

SET LOCAL ROLE rondo_owner;

-- Personal tokens for programs, by hash.
CREATE TABLE api_tokens (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT api_tokens_pkey PRIMARY KEY,
    user_id bigint NOT NULL CONSTRAINT api_tokens_user REFERENCES users ON DELETE CASCADE,
    token_hash text NOT NULL CONSTRAINT api_tokens_hash UNIQUE,
    name text NOT NULL,
    scopes text[] NOT NULL,
    expires_at timestamptz,
    -- Accurate to the minute.
    last_used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX api_tokens_of_user ON api_tokens (user_id, id);

-- A personal token as the API returns it, without its secret.
CREATE FUNCTION api_token_json(t api_tokens) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', (t).id, 'name', (t).name, 'scopes', (t).scopes, 'expires_at', instant((t).expires_at),
    'last_used_at', instant((t).last_used_at), 'created_at', instant((t).created_at));

-- Creates a personal token; p_mail notifies the owner. Outcomes: made; too_many (the user has p_max);
-- session_ended.
CREATE FUNCTION api_token_create(p_user bigint, p_issued_at_s bigint, p_token_hash text, p_name text,
                                 p_scopes text[], p_expires_at text, p_max bigint, p_mail jsonb)
RETURNS TABLE (outcome text, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    made api_tokens;
BEGIN
    IF NOT session_lock(p_user, p_issued_at_s) THEN
        RETURN QUERY SELECT 'session_ended', NULL::text;
        RETURN;
    END IF;
    IF (SELECT count(*) FROM api_tokens WHERE user_id = p_user) >= p_max THEN
        RETURN QUERY SELECT 'too_many', NULL::text;
        RETURN;
    END IF;
    INSERT INTO api_tokens (user_id, token_hash, name, scopes, expires_at)
    VALUES (p_user, p_token_hash, p_name, p_scopes, p_expires_at::timestamptz)
    RETURNING * INTO made;
    PERFORM account_notice_write(p_user, p_mail);
    RETURN QUERY SELECT 'made', api_token_json(made)::text;
END $$;

-- A user's personal tokens, newest first, as a JSON array.
CREATE FUNCTION api_tokens_of(p_user bigint) RETURNS TABLE (answer text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(json_agg(api_token_json(t) ORDER BY t.id DESC), '[]')::text
    FROM api_tokens t WHERE t.user_id = p_user
$$;

-- Revokes a personal token. Outcomes: deleted; unknown.
CREATE FUNCTION api_token_delete(p_user bigint, p_id bigint) RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM api_tokens WHERE user_id = p_user AND id = p_id;
    RETURN QUERY SELECT CASE WHEN FOUND THEN 'deleted' ELSE 'unknown' END;
END $$;

-- The user and scopes of a personal token; no row if it is unknown or expired. Its use is recorded once a
-- minute, so that reads rarely write.
CREATE FUNCTION api_token_use(p_token_hash text) RETURNS TABLE (user_id bigint, scope text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := clock_timestamp();
    t api_tokens;
BEGIN
    SELECT * INTO t FROM api_tokens WHERE token_hash = p_token_hash AND (expires_at IS NULL OR expires_at > at);
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF t.last_used_at IS NULL OR t.last_used_at < at - interval '1 minute' THEN
        UPDATE api_tokens SET last_used_at = at
        WHERE id = t.id AND last_used_at IS NOT DISTINCT FROM t.last_used_at;
    END IF;
    RETURN QUERY SELECT t.user_id, array_to_string(t.scopes, ' ');
END $$;

GRANT EXECUTE ON FUNCTION api_token_create, api_tokens_of, api_token_delete TO rondo_auth;
GRANT EXECUTE ON FUNCTION api_token_use
    TO rondo_task_api, rondo_recurrence, rondo_notify, rondo_audit, rondo_auth, rondo_sync;

RESET ROLE;
