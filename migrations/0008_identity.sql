-- Users of an OpenID provider, and its public keys.

SET LOCAL ROLE rondo_owner;

-- Public keys of the OpenID provider, as the bridge fetched them: JWKs reduced to the key.
CREATE TABLE provider_keys (
    issuer text NOT NULL,
    place integer NOT NULL,
    kid text,
    jwk jsonb NOT NULL,
    fetched_at timestamptz NOT NULL,
    CONSTRAINT provider_keys_pkey PRIMARY KEY (issuer, place)
);

-- Users by the subject that a provider knows them as.
CREATE TABLE identities (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id bigint NOT NULL CONSTRAINT identities_user REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT identities_pkey PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_of_user ON identities (user_id);

-- What a provider's token is verified with: its issuer's keys of that id (all if it names none), and the user
-- of its subject, if one exists. Keys that the bridge has not refreshed for a day do not count.
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

-- Takes an address from an account that never verified it. The account's creator may not own the address, so
-- the account also loses its password, sessions, tokens, webhooks and queued mails. Its tasks stay.
CREATE FUNCTION address_take(p_email_key text) RETURNS void
LANGUAGE plpgsql AS $$
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

-- The user of a provider's subject, created if it is new. An address that the provider has verified becomes
-- the user's, even if an account has it unverified (address_take). A verified account keeps its address; a
-- provider's token does not give access to it.
CREATE FUNCTION identity_user(p_issuer text, p_subject text, p_email text, p_email_key text, p_name text)
RETURNS TABLE (user_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    made bigint;
BEGIN
    -- Two concurrent first requests create one user.
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

-- Replaces a provider's keys by its current ones, an array of JWKs.
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

GRANT EXECUTE ON FUNCTION provider_token, identity_user
    TO rondo_task_api, rondo_recurrence, rondo_notify, rondo_audit, rondo_auth, rondo_sync;
GRANT EXECUTE ON FUNCTION provider_keys_replace TO rondo_bridge;

RESET ROLE;
