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

-- Takes a try at a registration, before the work of hashing its password; one that succeeds counts too.
-- From one address (null: not known) and in all only so many are let in a window: p_limits:
-- {"address": n, "all": n, "window_s": s}, or null: any number. Outcomes: begun; throttled;
-- invitation_invalid (where p_invitation_hash is given); email_taken.
CREATE FUNCTION registration_begin(p_email_key text, p_invitation_hash text, p_address text, p_limits jsonb)
RETURNS TABLE (outcome text, retry_after_s bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    window_s bigint := (p_limits->>'window_s')::bigint;
    wait_s bigint := 0;
BEGIN
    IF p_limits IS NOT NULL THEN
        wait_s := throttle_hit('register from ' || p_address, (p_limits->>'address')::bigint, window_s);
        IF wait_s = 0 THEN
            wait_s := throttle_hit('register', (p_limits->>'all')::bigint, window_s);
        END IF;
    END IF;
    RETURN QUERY SELECT
        CASE WHEN wait_s > 0 THEN 'throttled'
             WHEN p_invitation_hash IS NOT NULL AND NOT invitation_admits(p_invitation_hash, p_email_key)
                 THEN 'invitation_invalid'
             WHEN EXISTS (SELECT FROM users WHERE email_key = p_email_key) THEN 'email_taken'
             ELSE 'begun' END,
        wait_s;
END $$;

-- Makes an account and its revision row, mails its verification, and uses up its invitation, if it needs
-- one. Outcomes: registered; invitation_invalid; email_taken.
CREATE FUNCTION account_register(p_email text, p_email_key text, p_password_hash text, p_name text,
                                 p_time_zone text, p_invitation_hash text, p_mail jsonb)
RETURNS TABLE (outcome text, user_id bigint, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    made users;
BEGIN
    -- Two at the same time are one that is admitted.
    PERFORM FROM invitations WHERE token_hash = p_invitation_hash FOR UPDATE;
    IF p_invitation_hash IS NOT NULL AND NOT invitation_admits(p_invitation_hash, p_email_key) THEN
        RETURN QUERY SELECT 'invitation_invalid', NULL::bigint, NULL::text;
        RETURN;
    END IF;
    INSERT INTO users (email, email_key, password_hash, name, time_zone)
    VALUES (p_email, p_email_key, p_password_hash, p_name, coalesce(p_time_zone, 'UTC'))
    ON CONFLICT ON CONSTRAINT users_email_taken DO NOTHING
    RETURNING * INTO made;
    IF made.id IS NULL THEN
        RETURN QUERY SELECT 'email_taken', NULL::bigint, NULL::text;
        RETURN;
    END IF;
    DELETE FROM invitations WHERE token_hash = p_invitation_hash;
    INSERT INTO user_revisions (user_id) VALUES (made.id);
    PERFORM account_mail_write(made.id, p_mail);
    RETURN QUERY SELECT 'registered', made.id, account_json(made)::text;
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

-- Locks a user's row, and tells whether an access token that was issued at p_issued_at_s (seconds since
-- the epoch) may do what matters: not when sessions have been ended since, nor when there is no user.
CREATE FUNCTION session_lock(p_user bigint, p_issued_at_s bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    valid_from timestamptz;
BEGIN
    SELECT sessions_valid_from INTO valid_from FROM users WHERE id = p_user FOR NO KEY UPDATE;
    RETURN FOUND AND (valid_from IS NULL OR to_timestamp(p_issued_at_s) >= valid_from);
END $$;

-- Ends every session of a user whose row is locked: refresh tokens at once, access tokens for what
-- matters. These have whole seconds, so the next one begins; tokens that are issued from now on say so, and
-- if sessions are ended again within that second, it is the one after that.
CREATE FUNCTION sessions_end(p_user bigint) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    at timestamptz := clock_timestamp();
BEGIN
    UPDATE users
    SET sessions_valid_from = greatest(date_trunc('second', at), sessions_valid_from) + interval '1 second'
    WHERE id = p_user;
    UPDATE refresh_tokens SET revoked_at = at WHERE user_id = p_user AND revoked_at IS NULL;
END $$;

-- Ends whatever lets anybody in or tells anybody: sessions, personal tokens, webhooks. The user's row
-- is locked. A webhook is left there, disabled, for its owner to see where it went.
CREATE FUNCTION access_end(p_user bigint) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM sessions_end(p_user);
    DELETE FROM api_tokens WHERE user_id = p_user;
    PERFORM webhook_disable(w.id, 'recovery')
    FROM (SELECT id FROM webhooks WHERE user_id = p_user AND disabled_at IS NULL
          ORDER BY id FOR NO KEY UPDATE) AS w;
END $$;

-- Since when a user's access tokens are valid for what matters, in seconds since the epoch.
CREATE FUNCTION session_valid_from_s(p_user bigint) RETURNS bigint
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT coalesce(extract(epoch FROM sessions_valid_from)::bigint, 0) FROM users WHERE id = p_user
$$;

-- Begins a session of a user whose row is locked: a family with its first refresh token, by hash.
CREATE FUNCTION session_begin(p_user bigint, p_token_hash text, p_lifetime_s bigint) RETURNS void
LANGUAGE sql SET search_path = public, pg_temp AS $$
    INSERT INTO refresh_tokens (token_hash, family, user_id, expires_at)
    VALUES (p_token_hash, gen_random_uuid(), p_user, clock_timestamp() + p_lifetime_s * interval '1 second')
$$;

-- Begins a session after a login. p_password_hash is what that was verified against: when the password
-- has been changed since, there is no session. An access token is issued at valid_from_s at the
-- earliest. Outcomes: opened; changed.
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

-- Exchanges a refresh token for the next of its family. A token that was used before has been
-- stolen, or its thief was first: the whole family ends.
-- Outcomes: rotated; reused; unknown (also expired and revoked). valid_from_s: as of session_open.
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

-- Grants or takes back a scope beyond those that every account has. For who owns the schema alone: no
-- service's role may make an administrator. Outcomes: granted; no_user.
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
