-- Idempotency keys, and the answers that are kept for them.

SET LOCAL ROLE rondo_owner;

CREATE TABLE idempotency_keys (
    user_id bigint NOT NULL,
    -- Method and path.
    request text NOT NULL,
    key text NOT NULL,
    body_hash text NOT NULL,
    status integer NOT NULL,
    -- The response body; null where it has none.
    answer text,
    created_at timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, request, key)
);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);

-- How long a key and its answer are kept.
CREATE FUNCTION idempotency_lifetime() RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN interval '24 hours';

-- The answer kept for an idempotency key, if there is one.
CREATE FUNCTION kept_answer(p_user bigint, p_request text, p_key text, p_hash text)
RETURNS TABLE (outcome text, answer text)
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN body_hash = p_hash THEN 'replayed' ELSE 'key_reused' END, k.answer
    FROM idempotency_keys k
    WHERE k.user_id = p_user AND k.request = p_request AND k.key = p_key
      AND k.created_at > now() - idempotency_lifetime()
$$;

CREATE FUNCTION keep_answer(p_user bigint, p_request text, p_key text, p_hash text, p_status integer,
                            p_answer text, at timestamptz)
RETURNS void
LANGUAGE sql AS $$
    INSERT INTO idempotency_keys (user_id, request, key, body_hash, status, answer, created_at)
    VALUES (p_user, p_request, p_key, p_hash, p_status, p_answer, at)
    ON CONFLICT (user_id, request, key) DO UPDATE
    SET body_hash = excluded.body_hash, status = excluded.status, answer = excluded.answer,
        created_at = excluded.created_at
$$;

-- Begins a user's write: takes p_count revisions and looks up the answer kept for the idempotency key,
-- under the user's lock, so that a second request with the key waits for the first. With an outcome
-- (no_user, replayed, key_reused) the write is over and its revisions are given back.
CREATE FUNCTION write_begin(p_user bigint, p_count bigint, p_request text, p_key text, p_hash text,
                            OUT revision bigint, OUT outcome text, OUT answer text)
LANGUAGE plpgsql AS $$
BEGIN
    revision := revision_take(p_user, p_count);
    IF revision IS NULL THEN
        revision := 0;
        outcome := 'no_user';
    ELSIF p_key IS NOT NULL THEN
        SELECT k.outcome, k.answer INTO outcome, answer FROM kept_answer(p_user, p_request, p_key, p_hash) k;
        IF outcome IS NOT NULL THEN
            revision := revision_take(p_user, -p_count);
        END IF;
    END IF;
END $$;

CREATE FUNCTION idempotency_retain(p_limit integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM idempotency_keys k
        USING (SELECT user_id, request, key FROM idempotency_keys
               WHERE created_at < clock_timestamp() - idempotency_lifetime()
               ORDER BY created_at LIMIT p_limit) AS old
        WHERE (k.user_id, k.request, k.key) = (old.user_id, old.request, old.key)
        RETURNING 1)
    SELECT count(*) FROM gone
$$;

GRANT SELECT ON idempotency_keys TO rondo_task_api;
GRANT EXECUTE ON FUNCTION idempotency_lifetime, kept_answer TO rondo_task_api;
GRANT EXECUTE ON FUNCTION idempotency_retain TO rondo_bridge;

RESET ROLE;
