-- Blockers: tasks that have to be completed before another one.
--
-- `tasks.blocked_by` has their ids. `tasks.is_blocked` is whether one of them is not completed. It is no member of the
-- task's JSON, so it changes without a revision, except when a task becomes free: that is the event task.unblocked.

SET LOCAL ROLE rondo_owner;

-- fastupdate is off, because every search would scan the pending list with all users' entries.
CREATE INDEX tasks_by_blocker ON tasks USING gin (blocked_by) WITH (fastupdate = off) WHERE blocked_by <> '{}';

-- The ids in `p_task`'s blocked_by.
CREATE FUNCTION blockers_given(p_task jsonb) RETURNS bigint[]
LANGUAGE sql IMMUTABLE
RETURN ARRAY(SELECT x.id::bigint FROM jsonb_array_elements_text(p_task -> 'blocked_by') AS x (id));

-- Why a task cannot be blocked by those that `p_task` names: unknown_blocker, circular_blocker; null if it can. `p_id`
-- is null for a new task.
CREATE FUNCTION blocker_fault(p_user bigint, p_id bigint, p_task jsonb) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    wanted bigint[] := blockers_given(p_task);
BEGIN
    IF (SELECT count(*) FROM tasks t WHERE t.id = ANY (wanted) AND t.user_id = p_user) < cardinality(wanted) THEN
        RETURN 'unknown_blocker';
    ELSIF p_id IS NOT NULL AND EXISTS (
        -- UNION visits each task once.
        WITH RECURSIVE before AS (
            SELECT w.id FROM unnest(wanted) AS w (id)
            UNION
            SELECT x.id FROM before b JOIN tasks t ON t.id = b.id AND t.user_id = p_user,
                             LATERAL unnest(t.blocked_by) AS x (id)
        )
        SELECT FROM before b WHERE b.id = p_id
    ) THEN
        RETURN 'circular_blocker';
    END IF;
    RETURN NULL;
END $$;

-- Whether one of these tasks is not completed.
CREATE FUNCTION blockers_are_open(p_user bigint, p_ids bigint[]) RETURNS boolean
LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM tasks t WHERE t.id = ANY (p_ids) AND t.user_id = p_user AND t.status <> 'completed');

-- The tasks that a task blocks or has blocked. OFFSET keeps the planner from looking through all of the user's tasks.
CREATE FUNCTION tasks_blocked_by(p_user bigint, p_blocker bigint) RETURNS SETOF tasks
LANGUAGE sql STABLE ROWS 5 AS $$
    SELECT t.*
    FROM (SELECT * FROM tasks x WHERE x.blocked_by <> '{}' AND x.blocked_by @> ARRAY[p_blocker] OFFSET 0) AS t
    WHERE t.user_id = p_user
$$;

-- After a task was completed, or removed for good: the tasks that only it still blocked are free. Each that is open
-- takes a revision and emits task.unblocked. A removed task is no longer among the blockers.
CREATE FUNCTION blocker_done(p_user bigint, p_blocker bigint, p_is_removed boolean, at timestamptz, trace text)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    waiting tasks;
    taken bigint;
    is_free boolean;
BEGIN
    FOR waiting IN SELECT * FROM tasks_blocked_by(p_user, p_blocker) t ORDER BY t.revision LOOP
        is_free := waiting.is_blocked
            AND NOT blockers_are_open(p_user, array_remove(waiting.blocked_by, p_blocker));
        IF p_is_removed OR (is_free AND waiting.status <> 'completed') THEN
            taken := revision_take(p_user, 1);
            UPDATE tasks t
            SET blocked_by = CASE WHEN p_is_removed THEN array_remove(t.blocked_by, p_blocker) ELSE t.blocked_by END,
                is_blocked = waiting.is_blocked AND NOT is_free, updated_at = at, revision = taken
            WHERE t.id = waiting.id
            RETURNING * INTO waiting;
            PERFORM emit(CASE WHEN is_free AND waiting.status <> 'completed' THEN 'task.unblocked'
                              ELSE 'task.updated' END,
                         p_user, waiting.id, taken, at, '', waiting.representation, trace);
        ELSIF is_free THEN
            UPDATE tasks t SET is_blocked = false WHERE t.id = waiting.id;
        END IF;
    END LOOP;
END $$;

-- After a task was reopened: it blocks again.
CREATE FUNCTION blocker_reopened(p_user bigint, p_blocker bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tasks t SET is_blocked = true
    FROM tasks_blocked_by(p_user, p_blocker) x WHERE t.id = x.id AND NOT t.is_blocked;
END $$;

-- After a removed task is back: it blocks those of `p_blocks` again, which take a revision, unless they block it by
-- now.
CREATE FUNCTION blocker_revived(p_user bigint, p_blocker bigint, p_blocks jsonb, at timestamptz, trace text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    waiting tasks;
    wanted bigint[];
BEGIN
    FOR waiting IN SELECT t.* FROM jsonb_array_elements_text(coalesce(p_blocks, '[]')) AS x (id)
                   JOIN tasks t ON t.id = x.id::bigint AND t.user_id = p_user ORDER BY t.revision LOOP
        wanted := ARRAY(SELECT DISTINCT b.id FROM unnest(waiting.blocked_by || p_blocker) AS b (id) ORDER BY b.id);
        CONTINUE WHEN wanted = waiting.blocked_by
            OR blocker_fault(p_user, waiting.id, jsonb_build_object('blocked_by', wanted)) IS NOT NULL;
        UPDATE tasks t
        SET blocked_by = wanted, is_blocked = blockers_are_open(p_user, wanted), updated_at = at,
            revision = revision_take(p_user, 1)
        WHERE t.id = waiting.id
        RETURNING * INTO waiting;
        PERFORM emit('task.updated', p_user, waiting.id, waiting.revision, at, '', waiting.representation, trace);
    END LOOP;
END $$;

-- The blockers of a task in the next occurrence: those that the occurrence gets anew. `p_ids` is from steps_ids.
CREATE FUNCTION blockers_renewed(p_blockers bigint[], p_ids jsonb) RETURNS bigint[]
LANGUAGE sql IMMUTABLE
RETURN ARRAY(SELECT (p_ids ->> b.id::text)::bigint FROM unnest(p_blockers) AS b (id) WHERE p_ids ? b.id::text ORDER BY 1);

RESET ROLE;
