-- Sessions and refresh tokens. A function that ends, begins or continues a session first locks the user's
-- row, so that a concurrent function that ends all sessions misses none.

SET LOCAL ROLE rondo_owner;

-- Refresh tokens, by hash. A family is one login; using a used token ends the family.
CREATE TABLE refresh_tokens (
    token_hash text NOT NULL CONSTRAINT refresh_tokens_pkey PRIMARY KEY,
    family uuid NOT NULL,
    user_id bigint NOT NULL CONSTRAINT refresh_tokens_user REFERENCES users ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_by_user ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);

-- Locks a user's row and returns whether a sensitive operation may accept an access token that was issued at
-- p_issued_at_s (seconds since the epoch). It may not if sessions have been ended since, or if the user does
-- not exist.
CREATE FUNCTION session_lock(p_user bigint, p_issued_at_s bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    valid_from timestamptz;
BEGIN
    SELECT sessions_valid_from INTO valid_from FROM users WHERE id = p_user FOR NO KEY UPDATE;
    RETURN FOUND AND (valid_from IS NULL OR to_timestamp(p_issued_at_s) >= valid_from);
END $$;

-- Ends every session of a user whose row is locked: refresh tokens at once, access tokens for sensitive
-- operations. Access tokens count whole seconds, so those issued from the next second on are valid. If
-- sessions end twice within a second, those of the second after are.
CREATE FUNCTION sessions_end(p_user bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := clock_timestamp();
BEGIN
    UPDATE users
    SET sessions_valid_from = greatest(date_trunc('second', at), sessions_valid_from) + interval '1 second'
    WHERE id = p_user;
    UPDATE refresh_tokens SET revoked_at = at WHERE user_id = p_user AND revoked_at IS NULL;
END $$;

-- Ends everything that gives access or sends data: sessions, personal tokens, webhooks. The user's row
-- is locked. A webhook stays, disabled, so that its owner sees where it went.
CREATE FUNCTION access_end(p_user bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sessions_end(p_user);
    DELETE FROM api_tokens WHERE user_id = p_user;
    PERFORM webhook_disable(w.id, 'recovery')
    FROM (SELECT id FROM webhooks WHERE user_id = p_user AND disabled_at IS NULL
          ORDER BY id FOR NO KEY UPDATE) AS w;
END $$;

-- The moment from which on sensitive operations accept a user's access tokens, in seconds since the epoch.
CREATE FUNCTION session_valid_from_s(p_user bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT coalesce(extract(epoch FROM sessions_valid_from)::bigint, 0) FROM users WHERE id = p_user
$$;

-- Begins a session of a user whose row is locked: a family and its first refresh token, by hash.
CREATE FUNCTION session_begin(p_user bigint, p_token_hash text, p_lifetime_s bigint) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO refresh_tokens (token_hash, family, user_id, expires_at)
    VALUES (p_token_hash, gen_random_uuid(), p_user, clock_timestamp() + p_lifetime_s * interval '1 second')
$$;

-- Begins a session after a login. p_password_hash is the hash that the login verified: there is no
-- session if the password has changed since. The access token must not be issued before valid_from_s.
-- Outcomes: opened; changed.
CREATE FUNCTION session_open(p_user bigint, p_password_hash text, p_token_hash text, p_lifetime_s bigint)
RETURNS TABLE (outcome text, valid_from_s bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM users WHERE id = p_user AND password_hash = p_password_hash FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'changed', 0::bigint;
        RETURN;
    END IF;
    PERFORM session_begin(p_user, p_token_hash, p_lifetime_s);
    RETURN QUERY SELECT 'opened', session_valid_from_s(p_user);
END $$;

-- Exchanges a refresh token for the next of its family. A token that is used twice is in two hands, one of
-- them a thief's, so the family ends. Outcomes: rotated; reused; unknown (also expired or revoked).
-- valid_from_s: as of session_open.
CREATE FUNCTION session_rotate(p_token_hash text, p_next_hash text, p_lifetime_s bigint)
RETURNS TABLE (outcome text, user_id bigint, valid_from_s bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := clock_timestamp();
    used refresh_tokens;
BEGIN
    PERFORM FROM users
    WHERE id = (SELECT user_id FROM refresh_tokens WHERE token_hash = p_token_hash)
    FOR NO KEY UPDATE;
    SELECT * INTO used FROM refresh_tokens WHERE token_hash = p_token_hash;
    IF NOT FOUND OR used.revoked_at IS NOT NULL OR used.expires_at <= at THEN
        RETURN QUERY SELECT 'unknown', NULL::bigint, 0::bigint;
    ELSIF used.used_at IS NOT NULL THEN
        UPDATE refresh_tokens SET revoked_at = at WHERE family = used.family AND revoked_at IS NULL;
        RETURN QUERY SELECT 'reused', NULL::bigint, 0::bigint;
    ELSE
        UPDATE refresh_tokens SET used_at = at WHERE token_hash = p_token_hash;
        INSERT INTO refresh_tokens (token_hash, family, user_id, expires_at)
        VALUES (p_next_hash, used.family, used.user_id, at + p_lifetime_s * interval '1 second');
        RETURN QUERY SELECT 'rotated', used.user_id, session_valid_from_s(used.user_id);
    END IF;
END $$;

-- Ends the session that a refresh token belongs to. Outcomes: closed; unknown.
CREATE FUNCTION session_close(p_token_hash text)
RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM users
    WHERE id = (SELECT user_id FROM refresh_tokens WHERE token_hash = p_token_hash)
    FOR NO KEY UPDATE;
    UPDATE refresh_tokens SET revoked_at = clock_timestamp()
    WHERE family = (SELECT family FROM refresh_tokens WHERE token_hash = p_token_hash)
      AND revoked_at IS NULL;
    RETURN QUERY SELECT CASE WHEN FOUND THEN 'closed' ELSE 'unknown' END;
END $$;

CREATE FUNCTION refresh_tokens_retain(p_limit integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM refresh_tokens WHERE token_hash IN (
            SELECT token_hash FROM refresh_tokens WHERE expires_at < clock_timestamp()
            ORDER BY expires_at LIMIT p_limit)
        RETURNING 1)
    SELECT count(*) FROM gone
$$;

GRANT EXECUTE ON FUNCTION session_open, session_rotate, session_close TO rondo_auth;
GRANT EXECUTE ON FUNCTION refresh_tokens_retain TO rondo_bridge;

RESET ROLE;
