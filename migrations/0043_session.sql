-- Sessions as their user sees them: what program began one, and how to end it.

SET LOCAL ROLE rondo_owner;

-- Beside a family of refresh tokens.
CREATE TABLE sessions (
    family uuid NOT NULL CONSTRAINT sessions_pkey PRIMARY KEY,
    user_id bigint NOT NULL CONSTRAINT sessions_user REFERENCES users ON DELETE CASCADE,
    -- What the program calls itself (User-Agent).
    program text,
    created_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);

-- Notes the program that has just got this refresh token, and answers the id of its session; null for an unknown token.
CREATE FUNCTION session_note(p_token_hash text, p_program text) RETURNS TABLE (session text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    token refresh_tokens;
BEGIN
    SELECT * INTO token FROM refresh_tokens t WHERE t.token_hash = p_token_hash;
    IF token.family IS NOT NULL THEN
        INSERT INTO sessions (family, user_id, program, created_at)
        VALUES (token.family, token.user_id, p_program, clock_timestamp())
        ON CONFLICT ON CONSTRAINT sessions_pkey DO UPDATE SET program = excluded.program
        WHERE sessions.program IS DISTINCT FROM excluded.program;
        -- Those whose tokens have expired and are gone.
        DELETE FROM sessions s
        WHERE s.user_id = token.user_id
          AND NOT EXISTS (SELECT FROM refresh_tokens t WHERE t.family = s.family);
    END IF;
    RETURN QUERY SELECT token.family::text;
END $$;

-- The sessions of a user that have not ended, the one used last first, a JSON array. `p_lifetime_s`: of a refresh token.
CREATE FUNCTION sessions_json(p_user bigint, p_lifetime_s bigint) RETURNS TABLE (answer text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT coalesce(json_agg(json_build_object(
               'id', t.family, 'program', s.program, 'created_at', instant(s.created_at),
               'last_used_at', instant(t.expires_at - p_lifetime_s * interval '1 second'),
               'expires_at', instant(t.expires_at)) ORDER BY t.expires_at DESC, t.family), '[]')::text
    FROM refresh_tokens t LEFT JOIN sessions s ON s.family = t.family
    WHERE t.user_id = p_user AND t.used_at IS NULL AND t.revoked_at IS NULL AND t.expires_at > clock_timestamp();
END $$;

-- Ends a session of a user. Outcomes: ended; not_found.
CREATE FUNCTION session_end(p_user bigint, p_session text) RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM users WHERE id = p_user FOR NO KEY UPDATE;
    UPDATE refresh_tokens t SET revoked_at = clock_timestamp()
    WHERE t.user_id = p_user AND t.family::text = p_session AND t.revoked_at IS NULL
      AND t.expires_at > clock_timestamp();
    RETURN QUERY SELECT CASE WHEN FOUND THEN 'ended' ELSE 'not_found' END;
END $$;

GRANT EXECUTE ON FUNCTION session_note, sessions_json, session_end TO rondo_auth;

RESET ROLE;
