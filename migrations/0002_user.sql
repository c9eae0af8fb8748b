-- Users, their settings, and the revision that orders the writes of each.

SET LOCAL ROLE rondo_owner;

CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT users_pkey PRIMARY KEY,
    -- Null for a user of an OpenID provider that asserts no verified address.
    email text,
    -- The address in lower case, so that an account is found regardless of case.
    email_key text CONSTRAINT users_email_taken UNIQUE,
    -- Null for a user who logs in at an OpenID provider.
    password_hash text,
    name text,
    time_zone text NOT NULL DEFAULT 'UTC',
    email_verified_at timestamptz,
    notify_email boolean NOT NULL DEFAULT true,
    -- Local time of the daily digest; null without one.
    digest_at time,
    -- When the next digest is due; -infinity until the clock has calculated it.
    next_digest_at timestamptz,
    -- Scopes that an operator granted, beyond those of every account.
    granted_scopes text[] NOT NULL DEFAULT '{}',
    -- Sensitive operations refuse access tokens issued earlier; null refuses none.
    sessions_valid_from timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT users_email_has_key CHECK ((email IS NULL) = (email_key IS NULL)),
    CONSTRAINT users_mail_needs_address CHECK (email IS NOT NULL OR NOT notify_email)
);
CREATE INDEX users_by_next_digest ON users (next_digest_at) WHERE next_digest_at IS NOT NULL;

-- One narrow row per user: its lock serialises the user's writes, its number orders them. No foreign key
-- refers to it, because the clock and the writers would deadlock.
CREATE TABLE user_revisions (
    user_id bigint NOT NULL CONSTRAINT user_revisions_pkey PRIMARY KEY,
    revision bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- Takes p_count revisions of a user and returns the last one; null if there is no such user. The row's lock
-- serialises the user's writes, so whatever the caller reads next is committed and current. 0 only locks. A
-- negative count gives back unused revisions.
CREATE FUNCTION revision_take(p_user bigint, p_count bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    last bigint;
BEGIN
    UPDATE user_revisions SET revision = revision + p_count WHERE user_id = p_user RETURNING revision INTO last;
    RETURN last;
END $$;

-- An account as the API answers it.
CREATE FUNCTION account_json(u users) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', (u).id, 'email', (u).email, 'email_verified', (u).email_verified_at IS NOT NULL,
    'name', (u).name, 'time_zone', (u).time_zone,
    'notifications', json_build_object('email', (u).notify_email,
                                       'digest_at', to_char((u).digest_at, 'HH24:MI')));

-- Changes the members that p_changes has: name, time_zone, notify_email, digest_at. Outcomes: changed;
-- no_address (mail is wanted, but there is no address); no_user.
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
    -- The clock recalculates the next digest.
    IF p_changes ?| ARRAY['digest_at', 'time_zone'] THEN
        UPDATE users SET next_digest_at = CASE WHEN digest_at IS NOT NULL THEN '-infinity'::timestamptz END
        WHERE id = p_user;
    END IF;
    RETURN QUERY SELECT 'changed', account_json(changed)::text;
END $$;

-- Grants or revokes a scope beyond those of every account. Only the schema's owner may call it, so that no
-- service's role can create an administrator. Outcomes: granted; no_user.
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

GRANT SELECT (id, time_zone) ON users TO rondo_task_api, rondo_recurrence;
GRANT SELECT (id, name, time_zone, notify_email, email_verified_at, digest_at) ON users TO rondo_notify;
GRANT SELECT (id, digest_at, time_zone, next_digest_at) ON users TO rondo_bridge;
GRANT SELECT ON users TO rondo_auth;
GRANT SELECT ON user_revisions TO rondo_task_api, rondo_sync;
GRANT EXECUTE ON FUNCTION account_json, account_change TO rondo_auth;

RESET ROLE;
