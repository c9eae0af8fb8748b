-- Tags: their colours, and changes of a tag on all tasks.

SET LOCAL ROLE rondo_owner;

-- Colours of tags, which may outlive the last task with the tag. The names are on the tasks.
CREATE TABLE tags (
    user_id bigint NOT NULL,
    -- The name, folded.
    key text COLLATE "C" NOT NULL,
    name text NOT NULL,
    -- #rrggbb
    color text NOT NULL,
    CONSTRAINT tags_pkey PRIMARY KEY (user_id, key)
);

-- The number of tasks with a tag, by its key.
CREATE FUNCTION tag_count(p_user bigint, p_key text) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT count(*) FROM tasks t WHERE t.user_id = p_user AND t.tag_keys @> ARRAY[p_key]
$$;

-- Renames, recolours or removes the tag `p_key` on all of the user's tasks. `p_name` and `p_name_key`: its
-- new name (null removes it); a name in use merges both tags. `p_recolor`: whether `p_color` (null for none)
-- replaces its colour. Each changed task takes a revision, in the order of the tasks' last changes. Outcomes:
-- changed; not_found; no_user. `answer` is the tag, unless it was removed.
CREATE FUNCTION tag_change(p_user bigint, p_key text, p_name text, p_name_key text, p_recolor boolean,
                           p_color text, p_trace text)
RETURNS TABLE (outcome text, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    taken bigint;
    at timestamptz;
    was tags;
    tag tags;
    changes bigint;
BEGIN
    taken := revision_take(p_user, 0);
    IF taken IS NULL THEN
        RETURN QUERY SELECT 'no_user', NULL::text;
        RETURN;
    END IF;
    SELECT * INTO was FROM tags g WHERE g.user_id = p_user AND g.key = p_key;
    IF NOT FOUND AND tag_count(p_user, p_key) = 0 THEN
        RETURN QUERY SELECT 'not_found', NULL::text;
        RETURN;
    END IF;
    at := clock_timestamp();
    WITH affected AS (
        SELECT t.id, wanted.names, wanted.keys, row_number() OVER (ORDER BY t.revision) AS place
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
    )
    SELECT count(x.emitted) INTO changes
    FROM (SELECT emit('task.updated', p_user, c.id, c.revision, at, '', c.representation, p_trace)::text
                 AS emitted
          FROM (SELECT * FROM changed ORDER BY revision) AS c) AS x;
    PERFORM revision_take(p_user, changes);
    IF p_name IS NULL THEN
        DELETE FROM tags g WHERE g.user_id = p_user AND g.key = p_key;
        RETURN QUERY SELECT 'changed', NULL::text;
        RETURN;
    END IF;
    IF p_key <> p_name_key THEN
        DELETE FROM tags g WHERE g.user_id = p_user AND g.key = p_key;
    END IF;
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
    SELECT * INTO tag FROM tags g WHERE g.user_id = p_user AND g.key = p_name_key;
    RETURN QUERY SELECT 'changed', json_build_object('name', p_name, 'color', tag.color,
                                                     'count', tag_count(p_user, p_name_key))::text;
END $$;

GRANT SELECT ON tags TO rondo_task_api;
GRANT EXECUTE ON FUNCTION tag_change TO rondo_task_api;

RESET ROLE;
