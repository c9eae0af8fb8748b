-- Registration and invitations.

SET LOCAL ROLE rondo_owner;

-- Invitations for closed registration, by the hash of a token that works once.
CREATE TABLE invitations (
    token_hash text NOT NULL CONSTRAINT invitations_pkey PRIMARY KEY,
    -- The only address that it admits; null admits any.
    email_key text,
    expires_at timestamptz NOT NULL
);
CREATE INDEX invitations_by_expiry ON invitations (expires_at);

-- Whether an invitation admits an address; p_token_hash is the hash of its token.
CREATE FUNCTION invitation_admits(p_token_hash text, p_email_key text) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM invitations
        WHERE token_hash = p_token_hash AND expires_at > clock_timestamp()
          AND coalesce(email_key, p_email_key) = p_email_key)
$$;

-- Creates an invitation, for one address or any, and returns when it expires. Only the schema's owner may
-- call it.
CREATE FUNCTION invitation_make(p_token_hash text, p_email_key text, p_lifetime_s bigint) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO invitations (token_hash, email_key, expires_at)
    VALUES (p_token_hash, p_email_key, date_trunc('second', clock_timestamp()) + p_lifetime_s * interval '1 second')
    RETURNING instant(expires_at)
$$;

-- Creates an invitation for a logged-in user; the caller has checked the scope. Outcomes: made;
-- session_ended.
CREATE FUNCTION invitation_create(p_user bigint, p_issued_at_s bigint, p_token_hash text, p_email_key text,
                                  p_lifetime_s bigint)
RETURNS TABLE (outcome text, expires_at text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF session_lock(p_user, p_issued_at_s) THEN
        RETURN QUERY SELECT 'made', invitation_make(p_token_hash, p_email_key, p_lifetime_s);
    ELSE
        RETURN QUERY SELECT 'session_ended', NULL::text;
    END IF;
END $$;

-- Counts an attempt to register before the password is hashed, successful ones too. p_limits:
-- {"address", "all", "window_s"}: how many a window allows from one client address (null: unknown) and
-- in all; null allows any number. Outcomes: begun; throttled; invitation_invalid (if p_invitation_hash
-- is given); email_taken.
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

-- Creates an account and its revision row, queues its verification, and uses its invitation, if it needs one.
-- Outcomes: registered; invitation_invalid; email_taken.
CREATE FUNCTION account_register(p_email text, p_email_key text, p_password_hash text, p_name text,
                                 p_time_zone text, p_invitation_hash text, p_mail jsonb)
RETURNS TABLE (outcome text, user_id bigint, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    made users;
BEGIN
    -- Of two concurrent registrations, one is admitted.
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

GRANT EXECUTE ON FUNCTION registration_begin, account_register, invitation_create TO rondo_auth;

RESET ROLE;
