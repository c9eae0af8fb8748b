-- Accounts and sessions.

SET LOCAL ROLE rondo_owner;

-- An account as the API answers it.
CREATE FUNCTION account_json(u users) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', (u).id, 'email', (u).email, 'email_verified', (u).email_verified_at IS NOT NULL,
    'name', (u).name, 'time_zone', (u).time_zone,
    'notifications', json_build_object('email', (u).notify_email,
                                       'digest_at', to_char((u).digest_at, 'HH24:MI')));

-- Makes an account and its revision row. Outcomes: registered; email_taken.
CREATE FUNCTION account_register(p_email text, p_email_key text, p_password_hash text, p_name text,
                                 p_time_zone text)
RETURNS TABLE (outcome text, user_id bigint, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    made users;
BEGIN
    INSERT INTO users (email, email_key, password_hash, name, time_zone)
    VALUES (p_email, p_email_key, p_password_hash, p_name, coalesce(p_time_zone, 'UTC'))
    ON CONFLICT ON CONSTRAINT users_email_taken DO NOTHING
    RETURNING * INTO made;
    IF made.id IS NULL THEN
        RETURN QUERY SELECT 'email_taken', NULL::bigint, NULL::text;
        RETURN;
    END IF;
    INSERT INTO user_revisions (user_id) VALUES (made.id);
    RETURN QUERY SELECT 'registered', made.id, account_json(made)::text;
END $$;

-- Begins a session: a family with its first refresh token, by hash.
CREATE FUNCTION session_open(p_user bigint, p_token_hash text, p_lifetime_s bigint)
RETURNS TABLE (outcome text)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO refresh_tokens (token_hash, family, user_id, expires_at)
    VALUES (p_token_hash, gen_random_uuid(), p_user, clock_timestamp() + p_lifetime_s * interval '1 second')
    RETURNING 'opened'
$$;

-- Exchanges a refresh token for the next of its family. A token that was used before has been
-- stolen, or its thief was first: the whole family ends.
-- Outcomes: rotated; reused; unknown (also expired and revoked).
CREATE FUNCTION session_rotate(p_token_hash text, p_next_hash text, p_lifetime_s bigint)
RETURNS TABLE (outcome text, user_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := clock_timestamp();
    used refresh_tokens;
BEGIN
    SELECT * INTO used FROM refresh_tokens WHERE token_hash = p_token_hash FOR UPDATE;
    IF NOT FOUND OR used.revoked_at IS NOT NULL OR used.expires_at <= at THEN
        RETURN QUERY SELECT 'unknown', NULL::bigint;
    ELSIF used.used_at IS NOT NULL THEN
        UPDATE refresh_tokens SET revoked_at = at WHERE family = used.family AND revoked_at IS NULL;
        RETURN QUERY SELECT 'reused', NULL::bigint;
    ELSE
        UPDATE refresh_tokens SET used_at = at WHERE token_hash = p_token_hash;
        INSERT INTO refresh_tokens (token_hash, family, user_id, expires_at)
        VALUES (p_next_hash, used.family, used.user_id, at + p_lifetime_s * interval '1 second');
        RETURN QUERY SELECT 'rotated', used.user_id;
    END IF;
END $$;

-- Ends the session that a refresh token belongs to.
CREATE FUNCTION session_close(p_token_hash text)
RETURNS TABLE (outcome text)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE refresh_tokens SET revoked_at = clock_timestamp()
    WHERE family = (SELECT family FROM refresh_tokens WHERE token_hash = p_token_hash)
      AND revoked_at IS NULL
    RETURNING 'closed'
$$;

-- Grants or takes back a scope beyond those that every account has. Outcomes: granted; no_user.
CREATE FUNCTION scope_grant(p_email_key text, p_scope text, p_granted boolean)
RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE users SET granted_scopes = CASE
        WHEN p_granted THEN array_append(array_remove(granted_scopes, p_scope), p_scope)
        ELSE array_remove(granted_scopes, p_scope) END
    WHERE email_key = p_email_key;
    RETURN QUERY SELECT CASE WHEN FOUND THEN 'granted' ELSE 'no_user' END;
END $$;

RESET ROLE;
