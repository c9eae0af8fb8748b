-- Changes of a tag that can be undone.

SET LOCAL ROLE rondo_owner;

-- The rows of tags with these keys, JSON.
CREATE FUNCTION tag_rows(p_user bigint, p_keys text[]) RETURNS jsonb
LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_agg(to_jsonb(g) ORDER BY g.key), '[]') FROM tags g
    WHERE g.user_id = p_user AND g.key = ANY (p_keys)
$$;

-- As the function of the release before, but `p_undo_max` is the highest number of tasks for which the change can
-- be undone. `change` is the revision that names it, null if it cannot be undone or has changed no task.
CREATE FUNCTION tag_change(p_user bigint, p_key text, p_name text, p_name_key text, p_recolor boolean,
                           p_color text, p_undo_max bigint, p_trace text)
RETURNS TABLE (outcome text, change bigint, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    taken bigint;
    at timestamptz;
    was tags;
    tag tags;
    changes bigint;
    kept bigint;
    colors jsonb;
BEGIN
    taken := revision_take(p_user, 0);
    IF taken IS NULL THEN
        RETURN QUERY SELECT 'no_user', NULL::bigint, NULL::text;
        RETURN;
    END IF;
    SELECT * INTO was FROM tags g WHERE g.user_id = p_user AND g.key = p_key;
    IF NOT FOUND AND tag_count(p_user, p_key) = 0 THEN
        RETURN QUERY SELECT 'not_found', NULL::bigint, NULL::text;
        RETURN;
    END IF;
    at := clock_timestamp();
    colors := tag_rows(p_user, ARRAY[p_key, p_name_key]);
    WITH affected AS (
        SELECT t.id, t AS before, wanted.names, wanted.keys, row_number() OVER (ORDER BY t.revision) AS place,
               count(*) OVER () AS total
        FROM tasks t
        CROSS JOIN LATERAL (
            SELECT coalesce(array_agg(x.name ORDER BY x.key COLLATE "C"), '{}') AS names,
                   coalesce(array_agg(x.key ORDER BY x.key COLLATE "C"), '{}') AS keys
            FROM (SELECT u.key, u.name FROM unnest(t.tag_keys, t.tags) AS u (key, name)
                  WHERE u.key <> p_key AND u.key IS DISTINCT FROM p_name_key
                  UNION ALL
                  SELECT p_name_key, p_name WHERE p_name IS NOT NULL) AS x
        ) AS wanted
        WHERE t.user_id = p_user AND t.tag_keys @> ARRAY[p_key] AND t.tags <> wanted.names
    ), changed AS (
        UPDATE tasks t
        SET tags = a.names, tag_keys = a.keys, updated_at = at, revision = taken + a.place
        FROM affected a WHERE t.id = a.id
        RETURNING t.*
    ), step AS (
        INSERT INTO undo_steps (user_id, change, revision, task_id, before, removed, changed_at)
        SELECT p_user, taken + 1, taken + a.place, a.id, task_snapshot(a.before, false), false, at
        FROM affected a WHERE a.total <= p_undo_max
        RETURNING 1
    )
    SELECT count(x.emitted), (SELECT count(*) FROM step) INTO changes, kept
    FROM (SELECT emit('task.updated', p_user, c.id, c.revision, at, '', c.representation, p_trace)::text
                 AS emitted
          FROM (SELECT * FROM changed ORDER BY revision) AS c) AS x;
    PERFORM revision_take(p_user, changes);
    IF p_name IS NULL OR p_key <> p_name_key THEN
        DELETE FROM tags g WHERE g.user_id = p_user AND g.key = p_key;
    END IF;
    IF p_name IS NOT NULL THEN
        -- When tags are merged, the one that keeps its name keeps its colour.
        INSERT INTO tags AS g (user_id, key, name, color)
        SELECT p_user, p_name_key, p_name, c.color
        FROM (SELECT CASE WHEN p_recolor THEN p_color ELSE was.color END AS color) AS c
        WHERE c.color IS NOT NULL
        ON CONFLICT ON CONSTRAINT tags_pkey DO UPDATE
        SET name = excluded.name, color = CASE WHEN p_recolor THEN excluded.color ELSE g.color END;
        IF p_recolor AND p_color IS NULL THEN
            DELETE FROM tags g WHERE g.user_id = p_user AND g.key = p_name_key;
        END IF;
    END IF;
    UPDATE undo_steps u
    SET tags = jsonb_build_object('keys', to_jsonb(ARRAY[p_key, p_name_key]), 'before', colors,
                                  'after', tag_rows(p_user, ARRAY[p_key, p_name_key]))
    WHERE u.user_id = p_user AND u.change = taken + 1 AND u.revision = taken + 1;
    SELECT * INTO tag FROM tags g WHERE g.user_id = p_user AND g.key = p_name_key;
    RETURN QUERY SELECT 'changed', CASE WHEN kept > 0 THEN taken + 1 END,
                        CASE WHEN p_name IS NOT NULL THEN
                            json_build_object('name', p_name, 'color', tag.color,
                                              'count', tag_count(p_user, p_name_key))::text END;
END $$;

-- Gives tags the colours that they had, unless these have changed since.
CREATE FUNCTION tag_rows_put_back(p_user bigint, p_tags jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    keys text[] := ARRAY(SELECT jsonb_array_elements_text(p_tags -> 'keys'));
BEGIN
    IF tag_rows(p_user, keys) = p_tags -> 'after' THEN
        DELETE FROM tags g WHERE g.user_id = p_user AND g.key = ANY (keys);
        INSERT INTO tags SELECT * FROM jsonb_populate_recordset(NULL::tags, p_tags -> 'before');
    END IF;
END $$;

GRANT EXECUTE ON FUNCTION tag_change(bigint, text, text, text, boolean, text, bigint, text) TO rondo_task_api;

RESET ROLE;
