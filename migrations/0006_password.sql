-- Logins with a password, and changes and resets of passwords.

SET LOCAL ROLE rondo_owner;

-- Keys of the login throttles. The address is hashed, because users may type anything there.
CREATE FUNCTION login_throttles(p_email_key text, p_address text)
RETURNS TABLE (account text, address text, pair text)
LANGUAGE sql IMMUTABLE AS $$
    SELECT 'login ' || h.hash, 'login from ' || p_address, 'login ' || h.hash || ' from ' || coalesce(p_address, '?')
    FROM (SELECT encode(sha256(convert_to(p_email_key, 'UTF8')), 'hex') AS hash) AS h
$$;

-- Counts an attempt at a password before it is verified, so that concurrent attempts count too;
-- login_succeeded gives it back. Attempts are limited per client address, and per account and client address
-- together. They are never limited per account alone, because anybody could then lock its owner out; attempts
-- from many addresses only lower the account's limit for each address. p_limits: {"pair",
-- "pair_under_attack", "address", "account", "window_s"}. Returns 0, or the seconds to wait.
CREATE FUNCTION password_try(p_email_key text, p_address text, p_limits jsonb) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    window_s bigint := (p_limits->>'window_s')::bigint;
    keys record;
    attacked boolean;
    wait_s bigint;
BEGIN
    SELECT * INTO keys FROM login_throttles(p_email_key, p_address);
    SELECT coalesce(max(t.hits), 0) >= (p_limits->>'account')::bigint INTO attacked
    FROM throttles t WHERE t.key = keys.account AND t.ends_at > clock_timestamp();
    wait_s := throttle_hit(
        keys.pair, (p_limits->>CASE WHEN attacked THEN 'pair_under_attack' ELSE 'pair' END)::bigint, window_s);
    IF wait_s = 0 THEN
        wait_s := throttle_hit(keys.address, (p_limits->>'address')::bigint, window_s);
    END IF;
    IF wait_s = 0 THEN
        -- Counts, but limits nobody.
        PERFORM throttle_hit(keys.account, 9223372036854775807, window_s);
    END IF;
    RETURN wait_s;
END $$;

-- Counts an attempt to log in; see password_try. Returns a row even without an account. retry_after_s is 0 if
-- the attempt may proceed.
CREATE FUNCTION login_begin(p_email_key text, p_address text, p_limits jsonb)
RETURNS TABLE (retry_after_s bigint, user_id bigint, password_hash text, granted_scopes text, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    wait_s bigint := password_try(p_email_key, p_address, p_limits);
BEGIN
    IF wait_s > 0 THEN
        RETURN QUERY SELECT wait_s, NULL::bigint, NULL::text, NULL::text, NULL::text;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT 0::bigint, u.id, u.password_hash, array_to_string(u.granted_scopes, ' '), account_json(u)::text
    FROM (VALUES (p_email_key)) AS asked (email_key)
    LEFT JOIN users u ON u.email_key = asked.email_key AND u.password_hash IS NOT NULL;
END $$;

-- The password was right: gives the attempt back, and clears the count of this client address for this
-- account.
CREATE FUNCTION login_succeeded(p_email_key text, p_address text) RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    keys record;
BEGIN
    SELECT * INTO keys FROM login_throttles(p_email_key, p_address);
    -- In the same order as an attempt takes their locks.
    DELETE FROM throttles WHERE key = keys.pair;
    PERFORM throttle_give_back(keys.address);
    PERFORM throttle_give_back(keys.account);
    RETURN QUERY SELECT 'forgotten';
END $$;

-- Mails a password reset if the address has an account with a password; p_unverified_mail, if given, replaces
-- p_mail for an unverified address. The caller learns only whether its client address has sent too many
-- requests. p_limits: {"mails", "address", "window_s"}.
CREATE FUNCTION password_forgot(p_email_key text, p_address text, p_limits jsonb, p_mail jsonb,
                                p_unverified_mail jsonb)
RETURNS TABLE (retry_after_s bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    window_s bigint := (p_limits->>'window_s')::bigint;
    u users;
    wait_s bigint;
BEGIN
    wait_s := throttle_hit('forgot from ' || p_address, (p_limits->>'address')::bigint, window_s);
    IF wait_s = 0 THEN
        SELECT * INTO u FROM users WHERE email_key = p_email_key AND password_hash IS NOT NULL;
        IF FOUND AND throttle_hit('forgot ' || u.id, (p_limits->>'mails')::bigint, window_s) = 0 THEN
            PERFORM account_mail_write(
                u.id,
                CASE WHEN u.email_verified_at IS NULL THEN coalesce(p_unverified_mail, p_mail) ELSE p_mail END);
        END IF;
    END IF;
    RETURN QUERY SELECT wait_s;
END $$;

-- Uses a reset token: sets the password, verifies the address, and ends all earlier access (access_end),
-- because the user cannot know who else has the old password. p_mail notifies the owner. Outcomes: reset;
-- invalid (unknown, used or expired).
CREATE FUNCTION password_reset(p_token_hash text, p_password_hash text, p_mail jsonb)
RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    whose bigint := (SELECT t.user_id FROM mailed_token_read(p_token_hash, 'reset_password') t);
BEGIN
    PERFORM FROM users WHERE id = whose FOR NO KEY UPDATE;
    DELETE FROM mailed_tokens WHERE token_hash = p_token_hash AND user_id = whose;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'invalid';
        RETURN;
    END IF;
    UPDATE users
    SET password_hash = p_password_hash, email_verified_at = coalesce(email_verified_at, clock_timestamp())
    WHERE id = whose;
    PERFORM access_end(whose);
    DELETE FROM mailed_tokens WHERE user_id = whose;
    PERFORM account_notice_write(whose, p_mail);
    RETURN QUERY SELECT 'reset';
END $$;

-- Counts an attempt at the current password, like a login. Outcomes: begun; throttled; session_ended;
-- no_password (the user logs in at a provider).
CREATE FUNCTION password_change_begin(p_user bigint, p_issued_at_s bigint, p_address text, p_limits jsonb)
RETURNS TABLE (outcome text, retry_after_s bigint, password_hash text, email text, name text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    u users;
    wait_s bigint := 0;
BEGIN
    IF NOT session_lock(p_user, p_issued_at_s) THEN
        RETURN QUERY SELECT 'session_ended', 0::bigint, NULL::text, NULL::text, NULL::text;
        RETURN;
    END IF;
    SELECT * INTO u FROM users WHERE id = p_user;
    IF u.password_hash IS NOT NULL THEN
        wait_s := password_try(u.email_key, p_address, p_limits);
    END IF;
    RETURN QUERY SELECT
        CASE WHEN u.password_hash IS NULL THEN 'no_password' WHEN wait_s > 0 THEN 'throttled' ELSE 'begun' END,
        wait_s, u.password_hash, u.email, u.name;
END $$;

-- Changes a password whose current hash was verified. It ends every session and begins one for the
-- caller, with the refresh token of p_token_hash. p_mail notifies the owner. valid_from_s: as of
-- session_open. Outcomes: changed; session_ended (also when the password has changed since).
CREATE FUNCTION password_change(p_user bigint, p_issued_at_s bigint, p_verified_hash text, p_password_hash text,
                                p_token_hash text, p_lifetime_s bigint, p_mail jsonb)
RETURNS TABLE (outcome text, valid_from_s bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT session_lock(p_user, p_issued_at_s)
       OR NOT EXISTS (SELECT FROM users WHERE id = p_user AND password_hash = p_verified_hash) THEN
        RETURN QUERY SELECT 'session_ended', 0::bigint;
        RETURN;
    END IF;
    UPDATE users SET password_hash = p_password_hash WHERE id = p_user;
    PERFORM sessions_end(p_user);
    DELETE FROM mailed_tokens WHERE user_id = p_user AND purpose = 'reset_password';
    PERFORM session_begin(p_user, p_token_hash, p_lifetime_s);
    PERFORM account_notice_write(p_user, p_mail);
    RETURN QUERY SELECT 'changed', session_valid_from_s(p_user);
END $$;

GRANT EXECUTE ON FUNCTION login_begin, login_succeeded, password_forgot, password_reset, password_change_begin,
    password_change
    TO rondo_auth;

RESET ROLE;
