-- Undo: putting tasks back as they were.

SET LOCAL ROLE rondo_owner;

-- What undoing means for one task.
CREATE TYPE undo_goal AS (
    task_id bigint,
    -- The task as it was before all steps; null if there was none.
    before jsonb,
    -- The revision of the last step.
    revision bigint,
    -- Whether the last step removed the task.
    removed boolean,
    -- Whether what it was has been deleted from the trash.
    is_lost boolean,
    -- How to remove the task, if there was none: as a deletion of this scope, or withdraw it.
    removal text,
    -- Whether the last step withdrew the task.
    is_withdrawn boolean,
    -- When the steps were, in order.
    times timestamptz[],
    -- The present row; null without one.
    present tasks
);

-- What undoing some changes means for each task, in the order in which it is done. `p_parts` are objects of change, and
-- of task for the creation of one.
CREATE FUNCTION undo_goals(p_user bigint, p_parts jsonb) RETURNS undo_goal[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        WITH part AS (
            SELECT * FROM jsonb_to_recordset(p_parts) AS p (change bigint, task bigint)
        ), step AS (
            SELECT u.task_id, u.revision, coalesce(u.before, b.snapshot) AS before, u.removed, u.removal, u.changed_at,
                   u.removed AND u.before IS NOT NULL AS is_withdrawn,
                   u.removed AND u.before IS NULL AND b.task_id IS NULL AS is_lost
            FROM part p
            JOIN undo_steps u ON u.user_id = p_user AND u.change = p.change
            LEFT JOIN trash b ON b.task_id = u.task_id AND b.revision = u.revision AND b.user_id = p_user
            WHERE p.task IS NULL
            UNION ALL
            SELECT p.task, p.change, NULL, false, 'all', NULL, false, false FROM part p WHERE p.task IS NOT NULL
        ), goal AS (
            SELECT s.task_id, max(s.revision) AS revision,
                   (array_agg(s.before ORDER BY s.revision))[1]
                   -- What only some steps keep is as it was for the first of these.
                   || coalesce((array_agg(jsonb_build_object('search_keys', s.before -> 'search_keys') ORDER BY s.revision)
                                FILTER (WHERE s.before ? 'search_keys'))[1], '{}')
                   || coalesce((array_agg(jsonb_build_object('series', s.before -> 'series',
                                                             'successor', s.before -> 'successor') ORDER BY s.revision)
                                FILTER (WHERE s.before ? 'series'))[1], '{}') AS before,
                   (array_agg(s.removed ORDER BY s.revision DESC))[1] AS removed,
                   bool_or(s.is_lost) AS is_lost,
                   (array_agg(s.removal ORDER BY s.revision))[1] AS removal,
                   (array_agg(s.is_withdrawn ORDER BY s.revision DESC))[1] AS is_withdrawn,
                   array_agg(s.changed_at ORDER BY s.revision) FILTER (WHERE s.changed_at IS NOT NULL) AS times
            FROM step s
            GROUP BY s.task_id
        )
        SELECT array_agg(ROW(g.task_id, g.before, g.revision, g.removed, g.is_lost, g.removal, g.is_withdrawn,
                             coalesce(g.times, ARRAY[t.created_at]), t)::undo_goal
                         -- A task is removed after those beneath it, and comes back before them.
                         ORDER BY NOT g.removed,
                                  CASE WHEN g.removed OR g.before IS NULL THEN -g.revision ELSE g.revision END)
        FROM goal g
        LEFT JOIN tasks t ON t.id = g.task_id AND t.user_id = p_user);
END $$;

-- The occurrence that followed a task because of what is to be undone, if it is there: completing the task, or
-- deleting this occurrence alone.
CREATE FUNCTION undo_successor(goal undo_goal, p_tasks bigint[]) RETURNS tasks
LANGUAGE plpgsql STABLE AS $$
DECLARE
    successor tasks;
BEGIN
    IF (goal.removed OR (goal.present).status = 'completed') AND goal.before ->> 'status' IS DISTINCT FROM 'completed' THEN
        SELECT t.* INTO successor
        FROM occurrences o JOIN tasks t ON t.id = o.task_id
        WHERE o.predecessor_task_id = goal.task_id AND o.state = 'live' AND t.created_at >= goal.times[1]
          AND t.id <> ALL (p_tasks);
    END IF;
    RETURN successor;
END $$;

-- Whether somebody has changed a task since the steps of a goal, or has taken its place. `p_tasks` are the tasks of
-- all goals.
CREATE FUNCTION undo_is_outrun(p_user bigint, goal undo_goal, p_tasks bigint[]) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
    present tasks := goal.present;
BEGIN
    IF goal.is_lost OR (present.id IS NULL) <> goal.removed
       OR (present.revision <> goal.revision AND task_edited_at(present) <> goal.times[cardinality(goal.times)]) THEN
        RETURN true;
    ELSIF goal.before IS NULL THEN
        RETURN false;
    END IF;
    -- Adding a reminder takes no revision.
    RETURN EXISTS (SELECT FROM reminders r WHERE r.task_id = goal.task_id AND r.kind = 'further'
                   AND NOT goal.before -> 'reminders' @> jsonb_build_array(jsonb_build_object('id', r.id)))
        OR EXISTS (SELECT FROM occurrences o
                   WHERE o.series_id = (goal.before ->> 'series_id')::bigint
                     AND o.slot = (goal.before ->> 'slot')::timestamp
                     AND o.scheduled AND o.state <> 'withdrawn' AND o.task_id IS DISTINCT FROM goal.task_id
                     AND NOT (o.state = 'skipped' AND o.created_at = ANY (goal.times))
                     AND (o.task_id IS NULL OR o.task_id <> ALL (p_tasks)))
        -- An edit of another occurrence may have changed the series.
        OR (goal.before -> 'series' ->> 'id' IS NOT NULL
            AND EXISTS (SELECT FROM tasks t
                        WHERE t.user_id = p_user AND t.series_id = (goal.before ->> 'series_id')::bigint
                          AND t.revision > goal.revision AND t.id <> ALL (p_tasks)
                          AND task_edited_at(t) > goal.times[cardinality(goal.times)]
                          AND t.created_at <= goal.times[1]));
END $$;

-- Puts the reminders of a changed task back as they were by its snapshot.
CREATE FUNCTION reminders_put_back(t tasks, p_snapshot jsonb, at timestamptz, trace text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    was reminders;
    present reminders;
BEGIN
    -- One that the change has added.
    FOR present IN DELETE FROM reminders r WHERE r.task_id = t.id AND r.kind = 'task'
                   AND NOT p_snapshot -> 'reminders' @> jsonb_build_array(jsonb_build_object('id', r.id)) RETURNING * LOOP
        IF present.state = 'armed' THEN
            PERFORM emit('reminder.cancelled', t.user_id, t.id, t.revision, at,
                         reminder_members(present.id, present.remind_at, t.due_at), t.representation, trace);
        END IF;
    END LOOP;
    FOR was IN SELECT * FROM jsonb_populate_recordset(NULL::reminders, p_snapshot -> 'reminders') LOOP
        SELECT * INTO present FROM reminders r WHERE r.id = was.id;
        -- A further reminder that was deleted since stays deleted. What has not changed, or has fired, stays as it is.
        CONTINUE WHEN present.id IS NULL AND was.kind = 'further';
        CONTINUE WHEN present.planned_at IS NOT DISTINCT FROM was.planned_at
                  AND (present.state = was.state OR present.state = 'fired');
        IF was.state = 'armed' AND was.remind_at <= at THEN
            was.state := 'cancelled';
        END IF;
        was.armed_at := CASE was.state WHEN 'armed' THEN at ELSE was.armed_at END;
        UPDATE reminders r
        SET planned_at = was.planned_at, remind_at = was.remind_at, state = was.state, armed_at = was.armed_at
        WHERE r.id = was.id;
        IF NOT FOUND THEN
            INSERT INTO reminders OVERRIDING SYSTEM VALUE SELECT was.*;
        END IF;
        IF was.state = 'armed' THEN
            PERFORM emit('reminder.scheduled', t.user_id, t.id, t.revision, at,
                         reminder_members(was.id, was.remind_at, t.due_at), t.representation, trace);
        ELSIF present.state = 'armed' THEN
            PERFORM emit('reminder.cancelled', t.user_id, t.id, t.revision, at,
                         reminder_members(present.id, present.remind_at, t.due_at), t.representation, trace);
        END IF;
    END LOOP;
END $$;

-- Puts a task that is back into the series and slot that it had, and the series as it was.
CREATE FUNCTION occurrence_put_back(goal undo_goal, t tasks, at timestamptz, trace text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    present tasks := goal.present;
    was series := jsonb_populate_record(NULL::series, nullif(goal.before -> 'series', 'null'));
BEGIN
    IF present.id IS NOT NULL AND present.series_id IS DISTINCT FROM t.series_id THEN
        UPDATE occurrences o SET state = 'withdrawn'
        WHERE o.task_id = t.id AND o.series_id = present.series_id AND o.state = 'live';
        IF present.series_id IS NOT NULL AND (present.status <> 'completed' OR t.status <> 'completed') THEN
            PERFORM series_stop(t.user_id, present.series_id, t.id, t.revision, at, t.representation, trace);
        END IF;
        UPDATE occurrences o SET predecessor_task_id = NULL
        WHERE o.predecessor_task_id = t.id AND o.id IS DISTINCT FROM (goal.before ->> 'successor')::bigint;
        UPDATE occurrences o SET predecessor_task_id = t.id WHERE o.id = (goal.before ->> 'successor')::bigint;
        PERFORM series_resume(t.series_id, goal.times);
    END IF;
    IF was.id IS NOT NULL THEN
        UPDATE series s SET recurrence_rule = was.recurrence_rule, anchor = was.anchor, time_zone = was.time_zone,
                            counts_completions = was.counts_completions
        WHERE s.id = was.id;
    END IF;
    IF t.series_id IS NOT NULL AND (present.series_id, present.slot) IS DISTINCT FROM (t.series_id, t.slot) THEN
        DELETE FROM occurrences o
        WHERE o.series_id = t.series_id AND o.state = 'skipped' AND o.created_at = ANY (goal.times);
        UPDATE occurrences o SET slot = t.slot, state = 'live'
        WHERE o.task_id = t.id AND o.series_id = t.series_id AND o.state IN ('live', 'withdrawn');
        -- To undo that is to skip them again.
        INSERT INTO occurrences (series_id, user_id, slot, scheduled, state, created_at)
        SELECT t.series_id, t.user_id, x.slot::timestamp, t.recurrence_rule ->> 'basis' = 'schedule', 'skipped', at
        FROM jsonb_array_elements_text(coalesce(goal.before -> 'skipped', '[]')) AS x (slot)
        ON CONFLICT DO NOTHING;
    END IF;
END $$;

-- Puts a changed task back as it was. It stays where it is if it would be beneath itself, and blocked as it is if it
-- would block itself.
CREATE FUNCTION task_put_back(goal undo_goal, taken bigint, at timestamptz, trace text) RETURNS tasks
LANGUAGE plpgsql AS $$
DECLARE
    present tasks := goal.present;
    t tasks := jsonb_populate_record(goal.present, goal.before);
BEGIN
    t.updated_at := at;
    t.revision := taken;
    t.list_id := (SELECT l.id FROM lists l WHERE l.id = t.list_id AND l.user_id = t.user_id);
    t.position := position_free(t.user_id, t.id, t.position);
    -- Counted again at the end.
    t.subtasks_total := present.subtasks_total;
    t.subtasks_completed := present.subtasks_completed;
    IF t.subtask_of IS DISTINCT FROM present.subtask_of AND t.subtask_of IS NOT NULL
       AND step_fault(t.user_id, t.id, t.subtask_of, 0, NULL) IS NOT NULL THEN
        t.subtask_of := present.subtask_of;
    END IF;
    IF t.blocked_by <> present.blocked_by
       AND blocker_fault(t.user_id, t.id, jsonb_build_object('blocked_by', t.blocked_by)) IS NOT NULL THEN
        t.blocked_by := present.blocked_by;
    END IF;
    t.is_blocked := blockers_are_open(t.user_id, t.blocked_by);
    -- An UPDATE would have to name each column. It would write all indexes too, because the revision changes.
    DELETE FROM tasks x WHERE x.id = t.id;
    INSERT INTO tasks OVERRIDING SYSTEM VALUE SELECT t.* RETURNING * INTO t;
    IF t.search_text <> present.search_text THEN
        UPDATE task_search s
        SET keys = ARRAY(SELECT x.key::bigint FROM jsonb_array_elements_text(goal.before -> 'search_keys') AS x (key))
        WHERE s.task_id = t.id;
    END IF;
    PERFORM emit(CASE WHEN (t.status = 'completed') = (present.status = 'completed') THEN 'task.updated'
                      WHEN t.status = 'completed' THEN 'task.completed' ELSE 'task.reopened' END,
                 t.user_id, t.id, taken, at, '', t.representation, trace);
    PERFORM reminders_put_back(t, goal.before, at, trace);
    PERFORM occurrence_put_back(goal, t, at, trace);
    IF t.status <> 'completed' AND present.status = 'completed' THEN
        -- Completing it ends the series again.
        UPDATE occurrences o SET state = 'withdrawn' WHERE o.predecessor_task_id = t.id AND o.state = 'ended';
    END IF;
    RETURN t;
END $$;

-- Removes an occurrence that followed another, as if it had never been.
CREATE FUNCTION occurrence_withdraw(t tasks, change bigint, taken bigint, at timestamptz, trace text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO undo_steps (user_id, change, revision, task_id, before, removed, changed_at)
    VALUES (t.user_id, occurrence_withdraw.change, taken, t.id, task_snapshot(t, true), true, at);
    UPDATE occurrences o SET state = 'withdrawn' WHERE o.task_id = t.id AND o.series_id = t.series_id AND o.state = 'live';
    PERFORM task_remove(t, taken, at, ',"reason":"withdrawn"', trace);
END $$;

-- After tasks were put back: what follows from them for others. A task that is completed again no longer blocks, one
-- that is open again does. The tasks that they are or were subtasks of are counted again; one of these that was put
-- back itself takes another revision, which is then that of its step.
CREATE FUNCTION undo_settle(p_user bigint, goals undo_goal[], change bigint, at timestamptz, trace text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    goal undo_goal;
    t tasks;
    above bigint;
BEGIN
    FOREACH goal IN ARRAY goals LOOP
        SELECT * INTO t FROM tasks x WHERE x.id = goal.task_id AND x.user_id = p_user;
        CONTINUE WHEN t.id IS NULL OR (goal.present).id IS NULL OR t.status = (goal.present).status;
        IF t.status = 'completed' THEN
            PERFORM blocker_done(p_user, t.id, false, at, trace);
        ELSIF (goal.present).status = 'completed' THEN
            PERFORM blocker_reopened(p_user, t.id);
        END IF;
    END LOOP;
    FOR above IN SELECT DISTINCT x.id
                 FROM unnest(goals) AS g
                 CROSS JOIN LATERAL (VALUES ((g.before ->> 'subtask_of')::bigint), ((g.present).subtask_of), (g.task_id)) AS x (id)
                 WHERE x.id IS NOT NULL LOOP
        PERFORM steps_count(p_user, above, at, trace);
    END LOOP;
    PERFORM undo_catch_up(p_user, undo_settle.change, at);
END $$;

-- Puts tasks back as they were before some changes, all of them or none. `p_parts` are those of a token, as for
-- undo_goals; `p_minutes` is for how long a change can be undone. Each task takes a revision. The undoing is a change
-- too, which `change` names, null if there was nothing to do. Outcomes: undone, `answer` has the results;
-- changed_since, `answer` has the ids of tasks that others have changed; uid_taken by another task, which `answer` is;
-- undo_expired; replayed, key_reused; no_user.
CREATE FUNCTION changes_undo(p_user bigint, p_parts jsonb, p_minutes bigint, p_request text, p_key text, p_hash text,
                             p_trace text)
RETURNS TABLE (outcome text, change bigint, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    begun record;
    at timestamptz;
    oldest timestamptz;
    goals undo_goal[];
    goal undo_goal;
    ids bigint[];
    outrun bigint[] := '{}';
    successor tasks;
    t tasks;
    first bigint;
    taken bigint;
    colors jsonb;
    results text[] := '{}';
    body text;
BEGIN
    begun := write_begin(p_user, 0, p_request, p_key, p_hash);
    IF begun.outcome IS NOT NULL THEN
        RETURN QUERY SELECT begun.outcome, NULL::bigint, begun.answer;
        RETURN;
    END IF;
    at := clock_timestamp();
    oldest := at - p_minutes * interval '1 minute';
    -- Each part has to be known: by its steps, or by the task that it created.
    IF EXISTS (SELECT FROM jsonb_to_recordset(p_parts) AS p (change bigint, task bigint)
               WHERE CASE WHEN p.task IS NULL
                          THEN NOT EXISTS (SELECT FROM undo_steps u WHERE u.user_id = p_user AND u.change = p.change
                                           AND u.changed_at > oldest)
                          ELSE NOT EXISTS (SELECT FROM tasks x WHERE x.id = p.task AND x.user_id = p_user
                                           AND x.created_at > oldest)
                               AND NOT EXISTS (SELECT FROM trash x WHERE x.task_id = p.task AND x.user_id = p_user
                                               AND (x.snapshot ->> 'created_at')::timestamptz > oldest) END) THEN
        RETURN QUERY SELECT 'undo_expired', NULL::bigint, NULL::text;
        RETURN;
    END IF;
    goals := undo_goals(p_user, p_parts);
    ids := ARRAY(SELECT g.task_id FROM unnest(goals) AS g);
    FOREACH goal IN ARRAY goals LOOP
        IF undo_is_outrun(p_user, goal, ids) THEN
            outrun := outrun || goal.task_id;
        ELSE
            successor := undo_successor(goal, ids);
            IF steps_are_touched(p_user, successor)
               OR EXISTS (SELECT FROM occurrences o WHERE o.task_id = successor.id AND o.state = 'live'
                          AND o.created_revision <> successor.revision) THEN
                outrun := outrun || successor.id;
            END IF;
        END IF;
    END LOOP;
    IF outrun <> '{}' THEN
        RETURN QUERY SELECT 'changed_since', NULL::bigint, to_json(ARRAY(SELECT DISTINCT unnest(outrun) ORDER BY 1))::text;
        RETURN;
    END IF;
    SELECT x.representation INTO body
    FROM unnest(goals) AS g JOIN tasks x ON x.user_id = p_user AND x.uid = g.before ->> 'uid'
    WHERE g.removed LIMIT 1;
    IF FOUND THEN
        RETURN QUERY SELECT 'uid_taken', NULL::bigint, body;
        RETURN;
    END IF;
    -- Out of each other's way, because no two positions are ever equal.
    UPDATE tasks x SET position = '~' || x.position
    FROM unnest(goals) AS g
    WHERE cardinality(goals) > 1 AND x.id = (g.present).id AND g.before IS NOT NULL AND x.position <> g.before ->> 'position';
    FOREACH goal IN ARRAY goals LOOP
        -- It was created and removed by what is undone.
        CONTINUE WHEN goal.removed AND goal.before IS NULL;
        successor := undo_successor(goal, ids);
        taken := revision_take(p_user, 1);
        first := coalesce(first, taken);
        IF goal.removed THEN
            PERFORM undo_keep_revived(p_user, goal.task_id, first, taken, goal.is_withdrawn, at);
            t := task_revive(p_user, goal.before, goal.revision, goal.times, taken, at, p_trace);
            PERFORM occurrence_put_back(goal, t, at, p_trace);
            DELETE FROM trash x WHERE x.task_id = goal.task_id;
            results := results || format('{"status":200,"id":%s,"task":%s}', t.id, t.representation);
        ELSIF goal.before IS NULL THEN
            t := goal.present;
            IF goal.removal = 'withdrawn' THEN
                PERFORM occurrence_withdraw(t, first, taken, at, p_trace);
            ELSE
                PERFORM undo_keep_discarded(t, first, taken, at);
                PERFORM task_discard(t, goal.removal, '[]', taken, at, p_trace);
            END IF;
            results := results || format('{"status":204,"id":%s}', t.id);
        ELSE
            INSERT INTO undo_steps (user_id, change, revision, task_id, before, removed, changed_at)
            VALUES (p_user, first, taken, goal.task_id, undo_redo(goal), false, at);
            t := task_put_back(goal, taken, at, p_trace);
            results := results || format('{"status":200,"id":%s,"task":%s}', t.id, t.representation);
        END IF;
        IF successor.id IS NOT NULL THEN
            PERFORM steps_withdraw(p_user, successor.id, first, at, p_trace);
            PERFORM occurrence_withdraw(successor, first, revision_take(p_user, 1), at, p_trace);
            results := results || format('{"status":204,"id":%s}', successor.id);
        END IF;
    END LOOP;
    IF first IS NOT NULL THEN
        PERFORM undo_settle(p_user, goals, first, at, p_trace);
        results := ARRAY(
            SELECT CASE WHEN t.id IS NULL THEN x.result
                        ELSE format('{"status":200,"id":%s,"task":%s}', t.id, t.representation) END
            FROM unnest(results) WITH ORDINALITY AS x (result, place)
            LEFT JOIN tasks t ON t.id = (x.result::json ->> 'id')::bigint AND t.user_id = p_user
            ORDER BY x.place);
    END IF;
    SELECT u.tags INTO colors
    FROM jsonb_to_recordset(p_parts) AS p (change bigint, task bigint)
    JOIN undo_steps u ON u.user_id = p_user AND u.change = p.change
    WHERE p.task IS NULL AND u.tags IS NOT NULL LIMIT 1;
    IF FOUND THEN
        PERFORM tag_rows_put_back(p_user, colors);
        UPDATE undo_steps u
        SET tags = jsonb_build_object('keys', colors -> 'keys', 'before', colors -> 'after', 'after', colors -> 'before')
        WHERE u.user_id = p_user AND u.change = first AND u.revision = first;
    END IF;
    DELETE FROM undo_steps u
    USING jsonb_to_recordset(p_parts) AS p (change bigint, task bigint)
    WHERE u.user_id = p_user AND u.change = p.change AND p.task IS NULL;
    body := '{"results":[' || array_to_string(results, ',') || ']}';
    IF p_key IS NOT NULL THEN
        PERFORM keep_answer(p_user, p_request, p_key, p_hash, 200, body, at);
    END IF;
    RETURN QUERY SELECT 'undone', first, body;
END $$;

-- What a task is before it is put back, so that this can be undone in turn.
CREATE FUNCTION undo_redo(goal undo_goal) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
    present tasks := goal.present;
    snapshot jsonb := task_snapshot(present, present.search_text IS DISTINCT FROM goal.before ->> 'search_text')
        || jsonb_build_object('skipped', (
            SELECT coalesce(jsonb_agg(o.slot ORDER BY o.slot), '[]') FROM occurrences o
            WHERE o.series_id = present.series_id AND o.state = 'skipped' AND o.created_at = ANY (goal.times)));
BEGIN
    IF goal.before ? 'series' THEN
        snapshot := snapshot || jsonb_build_object(
            'series', (SELECT to_jsonb(s) FROM series s WHERE s.id = present.series_id),
            'successor', (SELECT o.id FROM occurrences o WHERE o.predecessor_task_id = present.id));
    END IF;
    -- The position may be out of the others' way.
    RETURN snapshot || jsonb_build_object('position', present.position);
END $$;

GRANT EXECUTE ON FUNCTION changes_undo TO rondo_task_api;

RESET ROLE;
