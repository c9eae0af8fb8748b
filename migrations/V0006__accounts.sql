-- What guards accounts and what is mailed to them, tokens that are no sessions, and the users of an
-- OpenID provider.

SET LOCAL ROLE rondo_owner;

-- How often something was tried in the window that ends at `ends_at`.
CREATE TABLE throttles (
    key text NOT NULL CONSTRAINT throttles_pkey PRIMARY KEY,
    hits bigint NOT NULL,
    ends_at timestamptz NOT NULL
);
CREATE INDEX throttles_by_end ON throttles (ends_at);

-- Tokens in links of mails, by hash. Each works once and for one purpose.
CREATE TABLE mailed_tokens (
    token_hash text NOT NULL CONSTRAINT mailed_tokens_pkey PRIMARY KEY,
    user_id bigint NOT NULL CONSTRAINT mailed_tokens_user REFERENCES users ON DELETE CASCADE,
    purpose text NOT NULL
        CONSTRAINT mailed_tokens_purpose CHECK (purpose IN ('verify_email', 'reset_password')),
    expires_at timestamptz NOT NULL
);
CREATE INDEX mailed_tokens_of_user ON mailed_tokens (user_id);
CREATE INDEX mailed_tokens_by_expiry ON mailed_tokens (expires_at);

-- Mails about an account. What a mail says is forgotten as soon as it is out, for its link is a key.
CREATE TABLE account_mails (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT account_mails_pkey PRIMARY KEY,
    user_id bigint NOT NULL CONSTRAINT account_mails_user REFERENCES users ON DELETE CASCADE,
    email text NOT NULL,
    purpose text NOT NULL,
    status text NOT NULL DEFAULT 'pending'
        CONSTRAINT account_mails_status CHECK (status IN ('pending', 'sent', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    last_error text,
    subject text,
    body_text text,
    body_html text,
    traceparent text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_attempt_at timestamptz DEFAULT clock_timestamp(),
    -- When its link is no use any more, nor is sending it.
    expires_at timestamptz NOT NULL,
    sent_at timestamptz
);
CREATE INDEX account_mails_to_send ON account_mails (next_attempt_at) WHERE status = 'pending';
CREATE INDEX account_mails_of_user ON account_mails (user_id);
CREATE INDEX account_mails_by_time ON account_mails (created_at);

-- Who may register where not everyone may, by the hash of a token that works once.
CREATE TABLE invitations (
    token_hash text NOT NULL CONSTRAINT invitations_pkey PRIMARY KEY,
    -- The only address it is good for; none: any.
    email_key text,
    expires_at timestamptz NOT NULL
);
CREATE INDEX invitations_by_expiry ON invitations (expires_at);

-- Personal tokens for programs, by hash.
CREATE TABLE api_tokens (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT api_tokens_pkey PRIMARY KEY,
    user_id bigint NOT NULL CONSTRAINT api_tokens_user REFERENCES users ON DELETE CASCADE,
    token_hash text NOT NULL CONSTRAINT api_tokens_hash UNIQUE,
    name text NOT NULL,
    scopes text[] NOT NULL,
    expires_at timestamptz,
    -- To the minute.
    last_used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX api_tokens_of_user ON api_tokens (user_id, id);

-- Public keys of the OpenID provider, as the bridge found them: JWKs with nothing but the key.
CREATE TABLE provider_keys (
    issuer text NOT NULL,
    place integer NOT NULL,
    kid text,
    jwk jsonb NOT NULL,
    fetched_at timestamptz NOT NULL,
    CONSTRAINT provider_keys_pkey PRIMARY KEY (issuer, place)
);

-- Which user a subject of a provider is.
CREATE TABLE identities (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id bigint NOT NULL CONSTRAINT identities_user REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT identities_pkey PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_of_user ON identities (user_id);

-- Takes one of the p_limit tries of a window. Answers 0, or when all are taken the seconds until
-- the window ends. Without a key there is nothing to count.
CREATE FUNCTION throttle_hit(p_key text, p_limit bigint, p_window_s bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    at timestamptz := clock_timestamp();
    until timestamptz;
BEGIN
    IF p_key IS NULL THEN
        RETURN 0;
    END IF;
    INSERT INTO throttles AS t (key, hits, ends_at)
    VALUES (p_key, 1, at + p_window_s * interval '1 second')
    ON CONFLICT ON CONSTRAINT throttles_pkey DO UPDATE
    SET hits = CASE WHEN t.ends_at <= at THEN 1 ELSE t.hits + 1 END,
        ends_at = CASE WHEN t.ends_at <= at THEN excluded.ends_at ELSE t.ends_at END
    WHERE t.ends_at <= at OR t.hits < p_limit;
    IF FOUND THEN
        RETURN 0;
    END IF;
    SELECT ends_at INTO until FROM throttles WHERE key = p_key;
    RETURN greatest(1, ceil(extract(epoch FROM until - at)))::bigint;
END $$;

-- Gives a try back that was none.
CREATE FUNCTION throttle_give_back(p_key text) RETURNS void
LANGUAGE sql SET search_path = public, pg_temp AS $$
    UPDATE throttles SET hits = greatest(hits - 1, 0) WHERE key = p_key
$$;

-- Keys of login throttles; the e-mail only as a hash, for whatever was typed there counts.
CREATE FUNCTION login_throttles(p_email_key text, p_address text)
RETURNS TABLE (account text, address text, pair text)
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp AS $$
    SELECT 'login ' || h.hash, 'login from ' || p_address, 'login ' || h.hash || ' from ' || coalesce(p_address, '?')
    FROM (SELECT encode(sha256(convert_to(p_email_key, 'UTF8')), 'hex') AS hash) AS h
$$;

-- Takes a try at a password, before that is verified, so that tries at the same time count too; a right
-- one is given back by login_succeeded. Who tries too often is stopped by address, and by account and
-- address together; never by account alone, or anybody could lock anybody out. An account under attack
-- from many addresses only lowers what each address may try.
-- p_limits: {"pair", "pair_under_attack", "address", "account", "window_s"}.
-- Answers 0, or the seconds until it is worth another try.
CREATE FUNCTION password_try(p_email_key text, p_address text, p_limits jsonb) RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
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
        -- Counts and stops nobody.
        PERFORM throttle_hit(keys.account, 9223372036854775807, window_s);
    END IF;
    RETURN wait_s;
END $$;

-- Takes a try at a login; see password_try. Without an account there is a row all the same;
-- retry_after_s is 0 when the try may go on.
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

-- The password was right: the try is given back, and this address begins anew with this account.
CREATE FUNCTION login_succeeded(p_email_key text, p_address text) RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    keys record;
BEGIN
    SELECT * INTO keys FROM login_throttles(p_email_key, p_address);
    -- In the order in which a try takes them.
    DELETE FROM throttles WHERE key = keys.pair;
    PERFORM throttle_give_back(keys.address);
    PERFORM throttle_give_back(keys.account);
    RETURN QUERY SELECT 'forgotten';
END $$;

-- Writes a mail, and the token of its link if it has one. p_mail: {"purpose", "lifetime_s", "subject",
-- "text", "html", "traceparent", "token_hash"?, "verified_only"?}, or null: none is written. Who has no
-- address gets none, nor does, where verified_only is true, one that has not been verified.
CREATE FUNCTION account_mail_write(p_user bigint, p_mail jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    until timestamptz := clock_timestamp() + (p_mail->>'lifetime_s')::bigint * interval '1 second';
BEGIN
    INSERT INTO account_mails (user_id, email, purpose, subject, body_text, body_html, traceparent, expires_at)
    SELECT id, email, p_mail->>'purpose', p_mail->>'subject', p_mail->>'text', p_mail->>'html',
           p_mail->>'traceparent', until
    FROM users
    WHERE id = p_user AND email IS NOT NULL AND p_mail IS NOT NULL
      AND (email_verified_at IS NOT NULL OR NOT coalesce((p_mail->>'verified_only')::boolean, false));
    IF FOUND AND p_mail ? 'token_hash' THEN
        INSERT INTO mailed_tokens (token_hash, user_id, purpose, expires_at)
        VALUES (p_mail->>'token_hash', p_user, p_mail->>'purpose', until);
    END IF;
END $$;

-- Tells a user what was done to the account, by a mail as account_mail_write takes it. Of one kind only
-- so many go out in a window: "mails_max" and "window_s" of p_mail.
CREATE FUNCTION account_notice_write(p_user bigint, p_mail jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF throttle_hit('notice ' || (p_mail->>'purpose') || ' ' || p_user, (p_mail->>'mails_max')::bigint,
                    (p_mail->>'window_s')::bigint) = 0 THEN
        PERFORM account_mail_write(p_user, p_mail);
    END IF;
END $$;

-- Mails the verification again, so often in a window.
-- p_limits: {"mails", "window_s"}. Outcomes: written; verified (already); no_address; throttled; no_user.
CREATE FUNCTION verification_resend(p_user bigint, p_limits jsonb, p_mail jsonb)
RETURNS TABLE (outcome text, retry_after_s bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    u users;
    wait_s bigint;
BEGIN
    SELECT * INTO u FROM users WHERE id = p_user;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'no_user', 0::bigint;
    ELSIF u.email IS NULL THEN
        RETURN QUERY SELECT 'no_address', 0::bigint;
    ELSIF u.email_verified_at IS NOT NULL THEN
        RETURN QUERY SELECT 'verified', 0::bigint;
    ELSE
        wait_s := throttle_hit('verify ' || p_user, (p_limits->>'mails')::bigint, (p_limits->>'window_s')::bigint);
        IF wait_s = 0 THEN
            PERFORM account_mail_write(p_user, p_mail);
        END IF;
        RETURN QUERY SELECT CASE wait_s WHEN 0 THEN 'written' ELSE 'throttled' END, wait_s;
    END IF;
END $$;

-- Whom a mailed token is of, if it is good: one row in any case.
CREATE FUNCTION mailed_token_read(p_token_hash text, p_purpose text)
RETURNS TABLE (user_id bigint, email text, name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, u.email, u.name
    FROM (SELECT 1) AS asked
    LEFT JOIN mailed_tokens m
        ON m.token_hash = p_token_hash AND m.purpose = p_purpose AND m.expires_at > clock_timestamp()
    LEFT JOIN users u ON u.id = m.user_id
$$;

-- Uses a verification token. Who follows the link has the address; whoever made the account need not
-- have had it. So everything from before ends (access_end), unless the account's own session asks:
-- p_session_user and the time its token was issued at, or null. Outcomes: verified; invalid (unknown,
-- used or expired).
CREATE FUNCTION email_verify(p_token_hash text, p_session_user bigint, p_issued_at_s bigint)
RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    whose bigint := (SELECT t.user_id FROM mailed_token_read(p_token_hash, 'verify_email') t);
    is_current boolean := session_lock(whose, p_issued_at_s);
BEGIN
    DELETE FROM mailed_tokens WHERE token_hash = p_token_hash AND user_id = whose;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'invalid';
        RETURN;
    END IF;
    UPDATE users SET email_verified_at = coalesce(email_verified_at, clock_timestamp()) WHERE id = whose;
    DELETE FROM mailed_tokens WHERE user_id = whose AND purpose = 'verify_email';
    IF p_session_user IS DISTINCT FROM whose OR is_current IS NOT TRUE THEN
        PERFORM access_end(whose);
    END IF;
    RETURN QUERY SELECT 'verified';
END $$;

-- Mails a password reset, if there is an account with a password. To an address that has not been
-- verified goes p_unverified_mail instead, where it is given. What was done is not told; only an
-- address that asks too often is. p_limits: {"mails", "address", "window_s"}.
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

-- Uses a reset token: sets the password, and ends everything from before (access_end), for whoever
-- forgot the password does not know who has it. Who read the mail has the address. The account's owner
-- is told by p_mail. Outcomes: reset; invalid (unknown, used or expired).
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

-- Takes a try at the password of whoever wants to change it, as a login does. Outcomes: begun;
-- throttled; session_ended; no_password (the user logs in elsewhere).
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

-- Changes a password whose present hash was verified: ends every session and begins one for whoever
-- asked, with the refresh token of p_token_hash. The account's owner is told by p_mail. valid_from_s: as
-- of session_open. Outcomes: changed; session_ended (also when the password is another by now).
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

-- Claims mails to send: a lease, as for notifications. A mail whose link has expired has failed.
CREATE FUNCTION account_mails_claim(p_limit integer, p_lease_ms bigint)
RETURNS TABLE (id bigint, attempts integer, email text, name text, subject text, body_text text,
               body_html text, traceparent text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := clock_timestamp();
BEGIN
    RETURN QUERY
    WITH due AS MATERIALIZED (
        SELECT m.id FROM account_mails m
        WHERE m.status = 'pending' AND m.next_attempt_at <= at
        ORDER BY m.next_attempt_at
        LIMIT p_limit
        FOR UPDATE SKIP LOCKED
    ), moved AS (
        UPDATE account_mails m
        SET status = CASE WHEN m.expires_at > at THEN 'pending' ELSE 'failed' END,
            last_error = CASE WHEN m.expires_at > at THEN m.last_error ELSE coalesce(m.last_error, 'expired') END,
            attempts = m.attempts + CASE WHEN m.expires_at > at THEN 1 ELSE 0 END,
            subject = CASE WHEN m.expires_at > at THEN m.subject END,
            body_text = CASE WHEN m.expires_at > at THEN m.body_text END,
            body_html = CASE WHEN m.expires_at > at THEN m.body_html END,
            next_attempt_at = at + p_lease_ms * interval '1 millisecond'
        FROM due WHERE m.id = due.id
        RETURNING m.*
    )
    SELECT m.id, m.attempts, m.email, u.name, m.subject, m.body_text, m.body_html, m.traceparent
    FROM moved m JOIN users u ON u.id = m.user_id
    WHERE m.status = 'pending'
    ORDER BY m.id;
END $$;

-- Records the outcome of an attempt, as for notifications; no event tells of these mails. What a
-- mail said is forgotten with its outcome.
CREATE FUNCTION account_mail_settle(p_id bigint, p_error text, p_retry_ms bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    at timestamptz := clock_timestamp();
BEGIN
    IF p_retry_ms IS NOT NULL THEN
        UPDATE account_mails
        SET last_error = p_error, next_attempt_at = at + p_retry_ms * interval '1 millisecond'
        WHERE id = p_id AND status = 'pending';
    ELSE
        UPDATE account_mails
        SET status = CASE WHEN p_error IS NULL THEN 'sent' ELSE 'failed' END, last_error = p_error,
            sent_at = CASE WHEN p_error IS NULL THEN at END, next_attempt_at = NULL,
            subject = NULL, body_text = NULL, body_html = NULL
        WHERE id = p_id AND status = 'pending';
    END IF;
    RETURN FOUND;
END $$;

-- A personal token as the API answers it, without the token.
CREATE FUNCTION api_token_json(t api_tokens) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', (t).id, 'name', (t).name, 'scopes', (t).scopes, 'expires_at', instant((t).expires_at),
    'last_used_at', instant((t).last_used_at), 'created_at', instant((t).created_at));

-- Makes a personal token, and tells the account's owner by p_mail. Outcomes: made; too_many (the user has
-- p_max already); session_ended.
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

-- Takes a personal token back, at once. Outcomes: deleted; unknown.
CREATE FUNCTION api_token_delete(p_user bigint, p_id bigint) RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM api_tokens WHERE user_id = p_user AND id = p_id;
    RETURN QUERY SELECT CASE WHEN FOUND THEN 'deleted' ELSE 'unknown' END;
END $$;

-- Whom a personal token stands for, and what it allows: no row when it does not exist or is over.
-- Its use is noted once a minute, so that reading tasks is not writing all the time.
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

-- What a provider's token is checked with: its issuer's keys of that id (all, when it names none),
-- and the user that its subject is, if there is one yet. Keys that the bridge has not seen for a day
-- are no keys.
CREATE FUNCTION provider_token(p_issuer text, p_kid text, p_subject text)
RETURNS TABLE (keys text, user_id bigint, granted_scopes text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT (SELECT coalesce(json_agg(k.jwk ORDER BY k.place), '[]')::text FROM provider_keys k
            WHERE k.issuer = p_issuer AND (p_kid IS NULL OR k.kid = p_kid)
              AND k.fetched_at > clock_timestamp() - interval '1 day'),
           u.id, array_to_string(u.granted_scopes, ' ')
    FROM (VALUES (p_issuer, p_subject)) AS asked (issuer, subject)
    LEFT JOIN identities i ON i.issuer = asked.issuer AND i.subject = asked.subject
    LEFT JOIN users u ON u.id = i.user_id
$$;

-- Takes an address from an account that has never proven it is its own. That one cannot be told from a
-- stranger's, so its ways in go too: password, sessions, tokens, webhooks, and what waits to be mailed.
-- Its tasks stay.
CREATE FUNCTION address_take(p_email_key text) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    whose bigint;
BEGIN
    SELECT id INTO whose FROM users WHERE email_key = p_email_key AND email_verified_at IS NULL FOR NO KEY UPDATE;
    IF whose IS NULL THEN
        RETURN;
    END IF;
    PERFORM access_end(whose);
    DELETE FROM mailed_tokens WHERE user_id = whose;
    DELETE FROM account_mails WHERE user_id = whose AND status = 'pending';
    UPDATE users SET email = NULL, email_key = NULL, password_hash = NULL, notify_email = false
    WHERE id = whose;
END $$;

-- The user that a provider's subject is, made at first sight. An address that the provider has
-- verified becomes the user's, also when an account has it that has not verified it (address_take). One
-- that has keeps it: a provider opens nobody's account.
CREATE FUNCTION identity_user(p_issuer text, p_subject text, p_email text, p_email_key text, p_name text)
RETURNS TABLE (user_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    made bigint;
BEGIN
    -- Two first requests at the same time make one user.
    PERFORM pg_advisory_xact_lock(hashtextextended('identity ' || p_issuer || ' ' || p_subject, 0));
    SELECT i.user_id INTO made FROM identities i WHERE i.issuer = p_issuer AND i.subject = p_subject;
    IF made IS NULL THEN
        PERFORM address_take(p_email_key);
        INSERT INTO users (email, email_key, name, email_verified_at)
        SELECT p_email, p_email_key, p_name, clock_timestamp() WHERE p_email IS NOT NULL
        ON CONFLICT ON CONSTRAINT users_email_taken DO NOTHING
        RETURNING id INTO made;
        IF made IS NULL THEN
            INSERT INTO users (name, notify_email) VALUES (p_name, false) RETURNING id INTO made;
        END IF;
        INSERT INTO user_revisions (user_id) VALUES (made);
        INSERT INTO identities (issuer, subject, user_id) VALUES (p_issuer, p_subject, made);
    END IF;
    RETURN QUERY SELECT made;
END $$;

-- Whether an invitation is good for an address; p_token_hash is of its token.
CREATE FUNCTION invitation_admits(p_token_hash text, p_email_key text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM invitations
        WHERE token_hash = p_token_hash AND expires_at > clock_timestamp()
          AND coalesce(email_key, p_email_key) = p_email_key)
$$;

-- Makes an invitation, for one address or any; answers when it ends. For who owns the schema alone.
CREATE FUNCTION invitation_make(p_token_hash text, p_email_key text, p_lifetime_s bigint) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO invitations (token_hash, email_key, expires_at)
    VALUES (p_token_hash, p_email_key, date_trunc('second', clock_timestamp()) + p_lifetime_s * interval '1 second')
    RETURNING instant(expires_at)
$$;

-- The same, by a user who has logged in and may (the caller checks that). Outcomes: made; session_ended.
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

-- Replaces a provider's keys by what it publishes now: an array of JWKs.
CREATE FUNCTION provider_keys_replace(p_issuer text, p_keys jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    count bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('provider ' || p_issuer, 0));
    DELETE FROM provider_keys WHERE issuer = p_issuer;
    INSERT INTO provider_keys (issuer, place, kid, jwk, fetched_at)
    SELECT p_issuer, k.place, k.jwk->>'kid', k.jwk, clock_timestamp()
    FROM jsonb_array_elements(p_keys) WITH ORDINALITY AS k (jwk, place);
    GET DIAGNOSTICS count = ROW_COUNT;
    RETURN count;
END $$;

-- Forgets what is over; tells how many rows that were. Mails are remembered for p_mail_days.
CREATE FUNCTION accounts_retain(p_mail_days integer, p_limit integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH throttle AS (
        DELETE FROM throttles WHERE key IN (
            SELECT key FROM throttles WHERE ends_at < clock_timestamp()
            ORDER BY ends_at LIMIT p_limit FOR UPDATE SKIP LOCKED)
        RETURNING 1
    ), token AS (
        DELETE FROM mailed_tokens WHERE token_hash IN (
            SELECT token_hash FROM mailed_tokens WHERE expires_at < clock_timestamp()
            ORDER BY expires_at LIMIT p_limit)
        RETURNING 1
    ), invitation AS (
        DELETE FROM invitations WHERE token_hash IN (
            SELECT token_hash FROM invitations WHERE expires_at < clock_timestamp()
            ORDER BY expires_at LIMIT p_limit)
        RETURNING 1
    ), mail AS (
        DELETE FROM account_mails WHERE id IN (
            SELECT id FROM account_mails
            WHERE created_at < clock_timestamp() - p_mail_days * interval '1 day' AND status <> 'pending'
            ORDER BY created_at LIMIT p_limit)
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM throttle) + (SELECT count(*) FROM token)
           + (SELECT count(*) FROM invitation) + (SELECT count(*) FROM mail)
$$;

GRANT EXECUTE ON FUNCTION api_token_use, provider_token, identity_user
    TO rondo_task_api, rondo_recurrence, rondo_notify, rondo_audit, rondo_auth, rondo_sync;
GRANT EXECUTE ON FUNCTION login_begin, login_succeeded, verification_resend, mailed_token_read, email_verify,
    password_forgot, password_reset, password_change_begin, password_change, invitation_create, api_tokens_of, api_token_create, api_token_delete
    TO rondo_auth;
GRANT EXECUTE ON FUNCTION account_mails_claim, account_mail_settle, provider_keys_replace, accounts_retain
    TO rondo_bridge;

RESET ROLE;
