-- Moves of tasks and lists.

SET LOCAL ROLE rondo_owner;

-- Puts a task into a list (null: the inbox), at a position that its caller calculated from the neighbour's, if that
-- still has `p_neighbour_position`. Outcomes: moved; unchanged; stale, not_found, unknown_list (nothing done);
-- replayed, key_reused; no_user.
CREATE FUNCTION task_move(p_user bigint, p_id bigint, p_expected bigint, p_list bigint, p_position text,
                          p_neighbour bigint, p_neighbour_position text, p_request text, p_key text, p_hash text,
                          p_trace text)
RETURNS TABLE (outcome text, revision bigint, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    begun record;
    at timestamptz;
    before tasks;
    moved tasks;
    outcome text := 'moved';
BEGIN
    begun := write_begin(p_user, 1, p_request, p_key, p_hash);
    IF begun.outcome IS NOT NULL THEN
        RETURN QUERY SELECT begun.outcome, begun.revision, begun.answer;
        RETURN;
    END IF;
    SELECT * INTO moved FROM tasks WHERE id = p_id AND user_id = p_user;
    IF NOT FOUND THEN
        outcome := 'not_found';
    ELSIF moved.revision <> p_expected THEN
        outcome := 'stale';
    ELSIF p_list IS NOT NULL AND NOT EXISTS (SELECT FROM lists l WHERE l.id = p_list AND l.user_id = p_user) THEN
        outcome := 'unknown_list';
    ELSIF EXISTS (SELECT FROM tasks x WHERE x.user_id = p_user AND x.position = p_position AND x.id <> p_id)
          OR (p_neighbour IS NOT NULL AND NOT EXISTS (
              SELECT FROM tasks x WHERE x.id = p_neighbour AND x.user_id = p_user AND x.position = p_neighbour_position
                AND x.list_id IS NOT DISTINCT FROM p_list)) THEN
        outcome := 'stale';
    ELSIF moved.position = p_position AND moved.list_id IS NOT DISTINCT FROM p_list THEN
        outcome := 'unchanged';
    END IF;
    IF outcome <> 'moved' THEN
        PERFORM revision_take(p_user, -1);
    END IF;
    IF outcome IN ('not_found', 'stale', 'unknown_list') THEN
        RETURN QUERY SELECT outcome, 0::bigint, NULL::text;
        RETURN;
    END IF;
    at := clock_timestamp();
    IF outcome = 'moved' THEN
        before := moved;
        UPDATE tasks SET list_id = p_list, position = p_position, updated_at = at, revision = begun.revision
        WHERE id = p_id RETURNING * INTO moved;
        PERFORM undo_keep(before, moved, false);
        PERFORM emit('task.updated', p_user, p_id, begun.revision, at, '', moved.representation, p_trace);
    END IF;
    IF p_key IS NOT NULL THEN
        PERFORM keep_answer(p_user, p_request, p_key, p_hash, 200, moved.representation, at);
    END IF;
    RETURN QUERY SELECT outcome, moved.revision, moved.representation;
END $$;

-- Puts a list at a position that its caller calculated from the neighbour's, if that still has
-- `p_neighbour_position`. Outcomes: moved; unchanged; stale, not_found (nothing done); replayed,
-- key_reused; no_user.
CREATE FUNCTION list_move(p_user bigint, p_id bigint, p_expected bigint, p_position text, p_neighbour bigint,
                          p_neighbour_position text, p_request text, p_key text, p_hash text, p_trace text)
RETURNS TABLE (outcome text, revision bigint, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    begun record;
    at timestamptz;
    moved lists;
    body text;
    outcome text := 'moved';
BEGIN
    begun := write_begin(p_user, 1, p_request, p_key, p_hash);
    IF begun.outcome IS NOT NULL THEN
        RETURN QUERY SELECT begun.outcome, begun.revision, begun.answer;
        RETURN;
    END IF;
    SELECT * INTO moved FROM lists WHERE id = p_id AND user_id = p_user;
    IF NOT FOUND THEN
        outcome := 'not_found';
    ELSIF moved.revision <> p_expected THEN
        outcome := 'stale';
    ELSIF EXISTS (SELECT FROM lists x WHERE x.user_id = p_user AND x.position = p_position AND x.id <> p_id)
          OR (p_neighbour IS NOT NULL AND NOT EXISTS (
              SELECT FROM lists x
              WHERE x.id = p_neighbour AND x.user_id = p_user AND x.position = p_neighbour_position)) THEN
        outcome := 'stale';
    ELSIF moved.position = p_position THEN
        outcome := 'unchanged';
    END IF;
    IF outcome <> 'moved' THEN
        PERFORM revision_take(p_user, -1);
    END IF;
    IF outcome IN ('not_found', 'stale') THEN
        RETURN QUERY SELECT outcome, 0::bigint, NULL::text;
        RETURN;
    END IF;
    at := clock_timestamp();
    IF outcome = 'moved' THEN
        UPDATE lists SET position = p_position, updated_at = at, revision = begun.revision
        WHERE id = p_id RETURNING * INTO moved;
        PERFORM list_emit('list.updated', moved, begun.revision, at, '', p_trace);
    END IF;
    body := list_json(moved);
    IF p_key IS NOT NULL THEN
        PERFORM keep_answer(p_user, p_request, p_key, p_hash, 200, body, at);
    END IF;
    RETURN QUERY SELECT outcome, moved.revision, body;
END $$;

-- Gives tasks other positions, to make room. `p_rows`: objects of id, position, and the position `seen` by the
-- caller, in order. Each takes a revision. Outcomes: spread; stale (nothing done); no_user.
CREATE FUNCTION task_spread(p_user bigint, p_rows jsonb, p_trace text) RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := clock_timestamp();
    taken bigint;
    wanted record;
    changed tasks;
BEGIN
    IF revision_take(p_user, 0) IS NULL THEN
        RETURN QUERY SELECT 'no_user';
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM jsonb_to_recordset(p_rows) AS r (id bigint, seen text)
               LEFT JOIN tasks x ON x.id = r.id AND x.user_id = p_user AND x.position = r.seen
               WHERE x.id IS NULL)
       OR EXISTS (SELECT FROM jsonb_to_recordset(p_rows) AS r (position text)
                  JOIN tasks x ON x.user_id = p_user AND x.position = r.position
                  WHERE NOT p_rows @> jsonb_build_array(jsonb_build_object('id', x.id))) THEN
        RETURN QUERY SELECT 'stale';
        RETURN;
    END IF;
    -- Out of each other's way, because no two are ever equal.
    UPDATE tasks x SET position = '~' || r.position
    FROM jsonb_to_recordset(p_rows) AS r (id bigint, position text) WHERE x.id = r.id;
    FOR wanted IN SELECT * FROM jsonb_to_recordset(p_rows) AS r (id bigint, position text) LOOP
        taken := revision_take(p_user, 1);
        UPDATE tasks SET position = wanted.position, updated_at = at, revision = taken WHERE id = wanted.id
        RETURNING * INTO changed;
        PERFORM emit('task.updated', p_user, changed.id, taken, at, '', changed.representation, p_trace);
    END LOOP;
    RETURN QUERY SELECT 'spread';
END $$;

-- Gives lists other positions, to make room. `p_rows`: objects of id, position, and the position `seen` by the
-- caller, in order. Each takes a revision. Outcomes: spread; stale (nothing done); no_user.
CREATE FUNCTION list_spread(p_user bigint, p_rows jsonb, p_trace text) RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := clock_timestamp();
    taken bigint;
    wanted record;
    changed lists;
BEGIN
    IF revision_take(p_user, 0) IS NULL THEN
        RETURN QUERY SELECT 'no_user';
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM jsonb_to_recordset(p_rows) AS r (id bigint, seen text)
               LEFT JOIN lists x ON x.id = r.id AND x.user_id = p_user AND x.position = r.seen
               WHERE x.id IS NULL)
       OR EXISTS (SELECT FROM jsonb_to_recordset(p_rows) AS r (position text)
                  JOIN lists x ON x.user_id = p_user AND x.position = r.position
                  WHERE NOT p_rows @> jsonb_build_array(jsonb_build_object('id', x.id))) THEN
        RETURN QUERY SELECT 'stale';
        RETURN;
    END IF;
    -- Out of each other's way, because no two are ever equal.
    UPDATE lists x SET position = '~' || r.position
    FROM jsonb_to_recordset(p_rows) AS r (id bigint, position text) WHERE x.id = r.id;
    FOR wanted IN SELECT * FROM jsonb_to_recordset(p_rows) AS r (id bigint, position text) LOOP
        taken := revision_take(p_user, 1);
        UPDATE lists SET position = wanted.position, updated_at = at, revision = taken WHERE id = wanted.id
        RETURNING * INTO changed;
        PERFORM list_emit('list.updated', changed, taken, at, '', p_trace);
    END LOOP;
    RETURN QUERY SELECT 'spread';
END $$;

GRANT EXECUTE ON FUNCTION task_move, list_move, task_spread, list_spread TO rondo_task_api;

RESET ROLE;
