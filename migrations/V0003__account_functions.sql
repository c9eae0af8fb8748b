-- Accounts and sessions. Whatever ends sessions of a user, or begins or continues one, first locks
-- the user's row: so none escapes that another ends at the same time.

SET LOCAL ROLE rondo_owner;

-- An account as the API answers it.
CREATE FUNCTION account_json(u users) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', (u).id, 'email', (u).email, 'email_verified', (u).email_verified_at IS NOT NULL,
    'name', (u).name, 'time_zone', (u).time_zone,
    'notifications', json_build_object('email', (u).notify_email,
                                       'digest_at', to_char((u).digest_at, 'HH24:MI')));

-- Makes an account and its revision row, and mails its verification. From one address (null: not
-- known) only so many answers in a window may tell that an e-mail is taken.
-- p_limits: {"taken": n, "taken_window_s": s}. Outcomes: registered; email_taken; throttled.
CREATE FUNCTION account_register(p_email text, p_email_key text, p_password_hash text, p_name text,
                                 p_time_zone text, p_address text, p_limits jsonb, p_mail jsonb)
RETURNS TABLE (outcome text, user_id bigint, answer text, retry_after_s bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    made users;
    throttle text := 'taken ' || p_address;
    wait_s bigint;
BEGIN
    wait_s := throttle_hit(throttle, (p_limits->>'taken')::bigint, (p_limits->>'taken_window_s')::bigint);
    IF wait_s > 0 THEN
        RETURN QUERY SELECT 'throttled', NULL::bigint, NULL::text, wait_s;
        RETURN;
    END IF;
    INSERT INTO users (email, email_key, password_hash, name, time_zone)
    VALUES (p_email, p_email_key, p_password_hash, p_name, coalesce(p_time_zone, 'UTC'))
    ON CONFLICT ON CONSTRAINT users_email_taken DO NOTHING
    RETURNING * INTO made;
    IF made.id IS NULL THEN
        RETURN QUERY SELECT 'email_taken', NULL::bigint, NULL::text, 0::bigint;
        RETURN;
    END IF;
    PERFORM throttle_give_back(throttle);
    INSERT INTO user_revisions (user_id) VALUES (made.id);
    PERFORM account_mail_write(made.id, p_mail);
    RETURN QUERY SELECT 'registered', made.id, account_json(made)::text, 0::bigint;
END $$;

-- Changes what is a user's own to change: the members of p_changes, name, time_zone, notify_email,
-- digest_at. Outcomes: changed; no_address (mail is wanted where none can go); no_user.
CREATE FUNCTION account_change(p_user bigint, p_changes jsonb)
RETURNS TABLE (outcome text, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    changed users;
BEGIN
    IF (p_changes->>'notify_email')::boolean
       AND EXISTS (SELECT FROM users WHERE id = p_user AND email IS NULL) THEN
        RETURN QUERY SELECT 'no_address', NULL::text;
        RETURN;
    END IF;
    UPDATE users SET
        name = CASE WHEN p_changes ? 'name' THEN p_changes->>'name' ELSE name END,
        time_zone = coalesce(p_changes->>'time_zone', time_zone),
        notify_email = coalesce((p_changes->>'notify_email')::boolean, notify_email),
        digest_at = CASE WHEN p_changes ? 'digest_at' THEN (p_changes->>'digest_at')::time ELSE digest_at END
    WHERE id = p_user
    RETURNING * INTO changed;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'no_user', NULL::text;
        RETURN;
    END IF;
    -- The clock calculates the next digest anew.
    IF p_changes ?| ARRAY['digest_at', 'time_zone'] THEN
        UPDATE users SET next_digest_at = CASE WHEN digest_at IS NOT NULL THEN '-infinity'::timestamptz END
        WHERE id = p_user;
    END IF;
    RETURN QUERY SELECT 'changed', account_json(changed)::text;
END $$;

-- Begins a session: a family with its first refresh token, by hash. p_password_hash is what the
-- login was verified against: when the password has been reset since, there is no session.
-- Outcomes: opened; changed.
CREATE FUNCTION session_open(p_user bigint, p_password_hash text, p_token_hash text, p_lifetime_s bigint)
RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM users WHERE id = p_user AND password_hash = p_password_hash FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'changed';
        RETURN;
    END IF;
    INSERT INTO refresh_tokens (token_hash, family, user_id, expires_at)
    VALUES (p_token_hash, gen_random_uuid(), p_user, clock_timestamp() + p_lifetime_s * interval '1 second');
    RETURN QUERY SELECT 'opened';
END $$;

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
    PERFORM FROM users
    WHERE id = (SELECT user_id FROM refresh_tokens WHERE token_hash = p_token_hash)
    FOR NO KEY UPDATE;
    SELECT * INTO used FROM refresh_tokens WHERE token_hash = p_token_hash;
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
