-- Saved filters: named queries of a user. They take no revision, because they change no task.

SET LOCAL ROLE rondo_owner;

CREATE TABLE filters (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT filters_pkey PRIMARY KEY,
    user_id bigint NOT NULL,
    name text NOT NULL,
    icon text,
    -- Parameters of a list, as in a URL.
    query text NOT NULL,
    -- Counts the changes.
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX filters_by_user ON filters (user_id, id);

-- A filter as the API returns it, JSON.
CREATE FUNCTION filter_json(f filters) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', (f).id, 'name', (f).name, 'icon', (f).icon, 'query', (f).query,
    'created_at', instant((f).created_at), 'updated_at', instant((f).updated_at), 'version', (f).version);

-- Creates a filter. `p_filter`: name, icon, query, validated. `p_max`: how many filters a user may have.
-- Outcomes: created; too_many; replayed, key_reused; no_user.
CREATE FUNCTION filter_create(p_user bigint, p_filter jsonb, p_max bigint, p_request text, p_key text, p_hash text)
RETURNS TABLE (outcome text, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    begun record;
    at timestamptz;
    created filters;
    body text;
BEGIN
    begun := write_begin(p_user, 0, p_request, p_key, p_hash);
    IF begun.outcome IS NOT NULL THEN
        RETURN QUERY SELECT begun.outcome, begun.answer;
        RETURN;
    ELSIF (SELECT count(*) FROM filters f WHERE f.user_id = p_user) >= p_max THEN
        RETURN QUERY SELECT 'too_many', NULL::text;
        RETURN;
    END IF;
    at := clock_timestamp();
    INSERT INTO filters (user_id, name, icon, query, version, created_at, updated_at)
    VALUES (p_user, p_filter ->> 'name', p_filter ->> 'icon', p_filter ->> 'query', 1, at, at)
    RETURNING * INTO created;
    body := filter_json(created)::text;
    IF p_key IS NOT NULL THEN
        PERFORM keep_answer(p_user, p_request, p_key, p_hash, 201, body, at);
    END IF;
    RETURN QUERY SELECT 'created', body;
END $$;

-- Replaces a filter's members by those of `p_filter`, as for filter_create, if it still has the version that the
-- caller saw. Outcomes: changed; stale, not_found (nothing done).
CREATE FUNCTION filter_change(p_user bigint, p_id bigint, p_expected bigint, p_filter jsonb)
RETURNS TABLE (outcome text, version bigint, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    filter filters;
BEGIN
    SELECT * INTO filter FROM filters WHERE id = p_id AND user_id = p_user FOR UPDATE;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'not_found', 0::bigint, NULL::text;
        RETURN;
    ELSIF filter.version <> p_expected THEN
        RETURN QUERY SELECT 'stale', 0::bigint, NULL::text;
        RETURN;
    END IF;
    UPDATE filters SET name = p_filter ->> 'name', icon = p_filter ->> 'icon', query = p_filter ->> 'query',
                       version = filter.version + 1, updated_at = clock_timestamp()
    WHERE id = p_id
    RETURNING * INTO filter;
    RETURN QUERY SELECT 'changed', filter.version, filter_json(filter)::text;
END $$;

-- Deletes a filter; `p_expected` null accepts any version. Outcomes: deleted; stale, not_found (nothing done).
CREATE FUNCTION filter_delete(p_user bigint, p_id bigint, p_expected bigint) RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    found_version bigint;
BEGIN
    SELECT f.version INTO found_version FROM filters f WHERE f.id = p_id AND f.user_id = p_user FOR UPDATE;
    IF found_version IS NULL THEN
        RETURN QUERY SELECT 'not_found';
    ELSIF found_version <> p_expected THEN
        RETURN QUERY SELECT 'stale';
    ELSE
        DELETE FROM filters f WHERE f.id = p_id;
        RETURN QUERY SELECT 'deleted';
    END IF;
END $$;

GRANT SELECT ON filters TO rondo_task_api;
GRANT EXECUTE ON FUNCTION filter_json, filter_create, filter_change, filter_delete TO rondo_task_api;

RESET ROLE;
