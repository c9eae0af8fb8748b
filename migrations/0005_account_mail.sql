-- Mails about an account, the tokens in their links, and the verification of an address.

SET LOCAL ROLE rondo_owner;

-- Tokens of mailed links, by hash. Each works once and for one purpose.
CREATE TABLE mailed_tokens (
    token_hash text NOT NULL CONSTRAINT mailed_tokens_pkey PRIMARY KEY,
    user_id bigint NOT NULL CONSTRAINT mailed_tokens_user REFERENCES users ON DELETE CASCADE,
    purpose text NOT NULL
        CONSTRAINT mailed_tokens_purpose CHECK (purpose IN ('verify_email', 'reset_password')),
    expires_at timestamptz NOT NULL
);
CREATE INDEX mailed_tokens_of_user ON mailed_tokens (user_id);
CREATE INDEX mailed_tokens_by_expiry ON mailed_tokens (expires_at);

-- Mails about an account. A mail's content is deleted once it is sent, because its link is a key.
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
    -- When its link expires; the mail is not sent after that.
    expires_at timestamptz NOT NULL,
    sent_at timestamptz
);
CREATE INDEX account_mails_to_send ON account_mails (next_attempt_at) WHERE status = 'pending';
CREATE INDEX account_mails_of_user ON account_mails (user_id);
CREATE INDEX account_mails_by_time ON account_mails (created_at);

-- Queues a mail, and stores the token of its link if it has one. p_mail: {"purpose", "lifetime_s", "subject",
-- "text", "html", "traceparent", "token_hash"?, "verified_only"?}; null queues nothing. Nothing is queued for
-- a user without an address, or with an unverified one if verified_only is true.
CREATE FUNCTION account_mail_write(p_user bigint, p_mail jsonb) RETURNS void
LANGUAGE plpgsql AS $$
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

-- Notifies a user of a change to the account by a mail in the form of account_mail_write. p_mail also
-- has "mails_max" and "window_s": how many mails of its purpose a window allows.
CREATE FUNCTION account_notice_write(p_user bigint, p_mail jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF throttle_hit('notice ' || (p_mail->>'purpose') || ' ' || p_user, (p_mail->>'mails_max')::bigint,
                    (p_mail->>'window_s')::bigint) = 0 THEN
        PERFORM account_mail_write(p_user, p_mail);
    END IF;
END $$;

-- Mails the verification again, within p_limits: {"mails", "window_s"}. Outcomes: written; verified
-- (already); no_address; throttled; no_user.
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

-- The user of a mailed token; a row of nulls if it is not valid.
CREATE FUNCTION mailed_token_read(p_token_hash text, p_purpose text)
RETURNS TABLE (user_id bigint, email text, name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, u.email, u.name
    FROM (SELECT 1) AS asked
    LEFT JOIN mailed_tokens m
        ON m.token_hash = p_token_hash AND m.purpose = p_purpose AND m.expires_at > clock_timestamp()
    LEFT JOIN users u ON u.id = m.user_id
$$;

-- Uses a verification token. The reader of the link owns the address, but may not have created the account.
-- So all earlier access ends (access_end), unless the request comes with the account's own session:
-- p_session_user and the time at which its token was issued, or null. Outcomes: verified; invalid (unknown,
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

-- Claims mails to send, for a lease, like notifications_claim. A mail whose link has expired has failed.
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

-- Records the outcome of an attempt, like notification_settle, but emits no event. A final outcome deletes
-- the mail's content.
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

GRANT EXECUTE ON FUNCTION verification_resend, mailed_token_read, email_verify TO rondo_auth;
GRANT EXECUTE ON FUNCTION account_mails_claim, account_mail_settle TO rondo_bridge;

RESET ROLE;
