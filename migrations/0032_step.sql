-- Subtasks: tasks that are subtasks of another one, on a bounded number of levels.
--
-- `tasks.subtasks_total` and `subtasks_completed` count a task's own subtasks. They are members of its JSON, so a
-- task whose subtasks are added, completed, reopened or removed takes a revision itself.

SET LOCAL ROLE rondo_owner;

CREATE INDEX tasks_by_subtask_of ON tasks (user_id, subtask_of, position) WHERE subtask_of IS NOT NULL;

-- The tasks beneath a task, on all levels, the first of which is 1. OFFSET makes the planner look up the subtasks of
-- each task.
CREATE FUNCTION steps_beneath(owner bigint, above bigint) RETURNS TABLE (id bigint, level bigint)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 20 AS $$
    WITH RECURSIVE beneath AS (
        SELECT t.id, 1::bigint AS level FROM tasks t WHERE t.user_id = owner AND t.subtask_of = above
        UNION ALL
        SELECT x.id, b.level + 1
        FROM beneath b
        CROSS JOIN LATERAL (SELECT t.id FROM tasks t WHERE t.user_id = owner AND t.subtask_of = b.id OFFSET 0) AS x
    )
    SELECT b.id, b.level FROM beneath b
$$;

-- Why a task cannot be a subtask of `p_parent`: unknown_parent, circular_parent, too_deep, too_many_subtasks; null if
-- it can. `p_id` is null for a new task, under which `p_along` others will come. `p_limits` has levels_max and
-- subtasks_max.
CREATE FUNCTION step_fault(p_user bigint, p_id bigint, p_parent bigint, p_along bigint, p_limits jsonb) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    -- The parent and the tasks above it, from the nearest.
    above bigint[];
    beneath bigint;
    levels bigint;
    there bigint;
    is_there boolean;
BEGIN
    WITH RECURSIVE up AS (
        SELECT t.id, t.subtask_of, 1 AS level FROM tasks t WHERE t.id = p_parent AND t.user_id = p_user
        UNION ALL
        SELECT t.id, t.subtask_of, u.level + 1 FROM up u JOIN tasks t ON t.id = u.subtask_of AND t.user_id = p_user
    )
    SELECT array_agg(u.id ORDER BY u.level) INTO above FROM up u;
    IF above IS NULL THEN
        RETURN 'unknown_parent';
    ELSIF p_id = ANY (above) THEN
        RETURN 'circular_parent';
    END IF;
    SELECT count(*), coalesce(max(s.level), 0) INTO beneath, levels FROM steps_beneath(p_user, p_id) s;
    IF cardinality(above) + 1 + levels > (p_limits ->> 'levels_max')::bigint THEN
        RETURN 'too_deep';
    END IF;
    SELECT count(*), coalesce(bool_or(s.id = p_id), false) INTO there, is_there
    FROM steps_beneath(p_user, above[cardinality(above)]) s;
    IF NOT is_there AND there + 1 + beneath + p_along > (p_limits ->> 'subtasks_max')::bigint THEN
        RETURN 'too_many_subtasks';
    END IF;
    RETURN NULL;
END $$;

-- Why a task cannot have the members of `p_task` that name lists or other tasks; null if it can. `before` is the task
-- as it is, null for a new one.
CREATE FUNCTION task_fault(p_user bigint, before tasks, p_task jsonb) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    list bigint := (p_task ->> 'list_id')::bigint;
    parent bigint := (p_task ->> 'subtask_of')::bigint;
    fault text;
BEGIN
    IF list IS NOT NULL AND NOT EXISTS (SELECT FROM lists l WHERE l.id = list AND l.user_id = p_user) THEN
        RETURN 'unknown_list';
    END IF;
    IF parent IS NOT NULL AND parent IS DISTINCT FROM before.subtask_of THEN
        fault := step_fault(p_user, before.id, parent, 0, p_task);
    END IF;
    IF fault IS NULL AND p_task -> 'blocked_by' <> '[]'
       AND p_task -> 'blocked_by' IS DISTINCT FROM to_jsonb(before.blocked_by) THEN
        fault := blocker_fault(p_user, before.id, p_task);
    END IF;
    RETURN fault;
END $$;

-- Counts a task's subtasks again. If there are others than before, the task takes a revision.
CREATE FUNCTION steps_count(p_user bigint, p_task bigint, at timestamptz, trace text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    counted bigint;
    done bigint;
    taken bigint;
    t tasks;
BEGIN
    SELECT count(*), count(*) FILTER (WHERE s.status = 'completed') INTO counted, done
    FROM tasks s WHERE s.user_id = p_user AND s.subtask_of = p_task;
    IF EXISTS (SELECT FROM tasks x WHERE x.id = p_task AND x.user_id = p_user
               AND (x.subtasks_total <> counted OR x.subtasks_completed <> done)) THEN
        taken := revision_take(p_user, 1);
        UPDATE tasks SET subtasks_total = counted, subtasks_completed = done, updated_at = at, revision = taken
        WHERE id = p_task
        RETURNING * INTO t;
        PERFORM emit('task.updated', p_user, p_task, taken, at, '', t.representation, trace);
    END IF;
END $$;

-- Completes all open tasks beneath a task, the lowest first. Each takes a revision. The task itself is the caller's,
-- who also gives the change its name (undo_name).
CREATE FUNCTION steps_complete(p_user bigint, p_task bigint, at timestamptz, trace text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    step bigint;
    taken bigint;
    t tasks;
    reminder reminders;
BEGIN
    FOR step IN SELECT s.id FROM steps_beneath(p_user, p_task) s JOIN tasks x ON x.id = s.id
                WHERE x.status <> 'completed' ORDER BY s.level DESC, x.position LOOP
        taken := revision_take(p_user, 1);
        INSERT INTO undo_steps (user_id, change, revision, task_id, before, removed, changed_at)
        SELECT p_user, 0, taken, step, task_snapshot(x, false), false, at FROM tasks x WHERE x.id = step;
        -- Those beneath it are completed by now.
        UPDATE tasks SET status = 'completed', completed_at = at, subtasks_completed = subtasks_total,
                         updated_at = at, revision = taken
        WHERE id = step
        RETURNING * INTO t;
        PERFORM emit('task.completed', p_user, step, taken, at, '', t.representation, trace);
        FOR reminder IN SELECT * FROM reminders r WHERE r.task_id = step AND r.state = 'armed' ORDER BY r.id LOOP
            PERFORM reminder_align(t, reminder, reminder.planned_at, at, t.representation, trace);
        END LOOP;
        PERFORM blocker_done(p_user, step, false, at, trace);
    END LOOP;
    -- A task that was completed before the last of those beneath it.
    FOR step IN SELECT s.id FROM steps_beneath(p_user, p_task) s JOIN tasks x ON x.id = s.id
                WHERE x.subtasks_completed <> x.subtasks_total ORDER BY x.position LOOP
        PERFORM steps_count(p_user, step, at, trace);
    END LOOP;
END $$;

-- Puts all tasks beneath a task into the trash, the lowest first, and ends the series of those that are open. Each
-- takes a revision. The task itself is the caller's, who also gives the change its name (undo_name) if it
-- `can_be_undone`.
CREATE FUNCTION steps_discard(p_user bigint, p_task bigint, can_be_undone boolean, at timestamptz, trace text)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    step bigint;
    taken bigint;
    t tasks;
BEGIN
    FOR step IN SELECT s.id FROM steps_beneath(p_user, p_task) s JOIN tasks x ON x.id = s.id
                ORDER BY s.level DESC, x.position LOOP
        taken := revision_take(p_user, 1);
        SELECT * INTO t FROM tasks WHERE id = step;
        IF can_be_undone THEN
            PERFORM undo_keep_discarded(t, 0, taken, at);
        END IF;
        PERFORM task_discard(t, 'all', '[]', taken, at, trace);
    END LOOP;
END $$;

-- Withdraws all tasks beneath an occurrence that is withdrawn, the lowest first. Each takes a revision. With `change`,
-- what they were is kept, to be put back.
CREATE FUNCTION steps_withdraw(p_user bigint, p_task bigint, change bigint, at timestamptz, trace text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    step bigint;
    taken bigint;
    t tasks;
BEGIN
    FOR step IN SELECT s.id FROM steps_beneath(p_user, p_task) s JOIN tasks x ON x.id = s.id
                ORDER BY s.level DESC, x.position LOOP
        taken := revision_take(p_user, 1);
        SELECT * INTO t FROM tasks WHERE id = step;
        IF steps_withdraw.change IS NOT NULL THEN
            INSERT INTO undo_steps (user_id, change, revision, task_id, before, removed, changed_at)
            VALUES (p_user, steps_withdraw.change, taken, step, task_snapshot(t, true), true, at);
        END IF;
        PERFORM task_remove(t, taken, at, ',"reason":"withdrawn"', trace);
    END LOOP;
END $$;

-- Whether somebody has changed a task beneath an occurrence since they were created together.
CREATE FUNCTION steps_are_touched(p_user bigint, occurrence tasks) RETURNS boolean
LANGUAGE sql STABLE
RETURN (occurrence).subtasks_total > 0
    AND EXISTS (SELECT FROM steps_beneath(p_user, (occurrence).id) s JOIN tasks t ON t.id = s.id
                WHERE t.created_at <> (occurrence).created_at OR task_edited_at(t) <> t.created_at);

-- The tasks beneath a task that its next occurrence gets anew, as rows with their search keys, those above before
-- those beneath. Of a subtask that is itself an occurrence, only the latest counts.
CREATE FUNCTION steps_kept(p_user bigint, p_task bigint) RETURNS jsonb
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE step AS (
        SELECT t.id, 1 AS level FROM tasks t
        WHERE t.user_id = p_user AND t.subtask_of = p_task
          AND NOT EXISTS (SELECT FROM tasks x WHERE x.user_id = p_user AND x.subtask_of = t.subtask_of
                          AND x.series_id = t.series_id AND x.id > t.id)
        UNION ALL
        SELECT t.id, s.level + 1 FROM step s JOIN tasks t ON t.user_id = p_user AND t.subtask_of = s.id
        WHERE NOT EXISTS (SELECT FROM tasks x WHERE x.user_id = p_user AND x.subtask_of = t.subtask_of
                          AND x.series_id = t.series_id AND x.id > t.id)
    )
    SELECT coalesce(jsonb_agg(to_jsonb(t) || jsonb_build_object('search_keys', k.keys) ORDER BY s.level, t.position), '[]')
    FROM step s JOIN tasks t ON t.id = s.id LEFT JOIN task_search k ON k.task_id = t.id
$$;

-- The same for an occurrence that may have been deleted alone.
CREATE FUNCTION occurrence_steps(p_user bigint, p_task bigint) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(
        (SELECT o.deleted_task -> 'steps' FROM occurrences o
         WHERE o.task_id = p_task AND o.user_id = p_user AND o.deleted_task IS NOT NULL
           AND NOT EXISTS (SELECT FROM tasks t WHERE t.id = p_task) LIMIT 1),
        steps_kept(p_user, p_task))
$$;

-- Whether the tasks beneath an occurrence have changed since its successor's were planned: `p_planned` has objects of
-- id and revision.
CREATE FUNCTION steps_are_stale(p_steps jsonb, p_planned jsonb) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM jsonb_to_recordset(p_steps) AS s (id bigint, revision bigint)
        LEFT JOIN jsonb_to_recordset(coalesce(p_planned, '[]')) AS p (id bigint, revision bigint) USING (id, revision)
        WHERE p.id IS NULL)
$$;

-- New ids for the tasks of an occurrence: an object with the new id for each former one.
CREATE FUNCTION steps_ids(p_steps jsonb, p_from bigint, p_to bigint) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    ids jsonb := jsonb_build_object(p_from, p_to);
    kept jsonb;
BEGIN
    FOR kept IN SELECT x.step FROM jsonb_array_elements(p_steps) WITH ORDINALITY AS x (step, place) ORDER BY x.place LOOP
        ids := ids || jsonb_build_object(kept ->> 'id', nextval(pg_get_serial_sequence('public.tasks', 'id')));
    END LOOP;
    RETURN ids;
END $$;

-- How many of an occurrence's tasks are subtasks of one of them.
CREATE FUNCTION steps_of(p_steps jsonb, p_task bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE
RETURN (SELECT count(*) FROM jsonb_to_recordset(p_steps) AS s (subtask_of bigint) WHERE s.subtask_of = p_task);

-- Creates the tasks beneath an occurrence anew, as pending tasks without a rule of their own. `p_ids` is from
-- steps_ids. `p_planned`: objects of id, due_at, due_day, start_at, start_day, remind_at and
-- zone_data. Each takes a revision.
CREATE FUNCTION steps_renew(p_user bigint, p_steps jsonb, p_ids jsonb, p_planned jsonb, at timestamptz, trace text)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    kept jsonb;
    planned jsonb;
    step tasks;
    body text;
BEGIN
    FOR kept, planned IN
        SELECT x.step, p.step
        FROM jsonb_array_elements(p_steps) WITH ORDINALITY AS x (step, place)
        JOIN jsonb_array_elements(p_planned) AS p (step) ON p.step -> 'id' = x.step -> 'id'
        ORDER BY x.place
    LOOP
        step := task_like(jsonb_populate_record(NULL::tasks, kept));
        step.id := (p_ids ->> (kept ->> 'id'))::bigint;
        step.subtask_of := (p_ids ->> (kept ->> 'subtask_of'))::bigint;
        step.subtasks_total := steps_of(p_steps, (kept ->> 'id')::bigint);
        step.subtasks_completed := 0;
        step.blocked_by := blockers_renewed(step.blocked_by, p_ids);
        step.is_blocked := step.blocked_by <> '{}';
        step.status := 'pending';
        step.completed_at := NULL;
        step.due_at := (planned ->> 'due_at')::timestamptz;
        step.due_day := (planned ->> 'due_day')::date;
        step.start_at := (planned ->> 'start_at')::timestamptz;
        step.start_day := (planned ->> 'start_day')::date;
        step.zone_data := planned ->> 'zone_data';
        IF step.due_at IS NULL THEN
            step.reminder_offset := NULL;
        END IF;
        step.recurrence_rule := NULL;
        step.parent_task_id := NULL;
        step.series_id := NULL;
        step.slot := NULL;
        step.created_at := at;
        step.updated_at := at;
        step.revision := revision_take(p_user, 1);
        INSERT INTO tasks OVERRIDING SYSTEM VALUE SELECT step.* RETURNING * INTO step;
        INSERT INTO task_search (task_id, keys)
        VALUES (step.id, ARRAY(SELECT x.key::bigint FROM jsonb_array_elements_text(kept -> 'search_keys') AS x (key)));
        body := step.representation;
        PERFORM emit('task.created', p_user, step.id, step.revision, at, '', body, trace);
        IF planned ->> 'remind_at' IS NOT NULL THEN
            PERFORM reminder_align(step, NULL::reminders, (planned ->> 'remind_at')::timestamptz, at, body, trace);
        END IF;
    END LOOP;
END $$;

-- Withdraws the successor of a reopened task if nobody has changed it or a task beneath it. Withdraws an end too, so
-- that completing the task again ends the series again.
CREATE OR REPLACE FUNCTION successor_withdraw(p_user bigint, p_task bigint, at timestamptz, trace text)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    successor occurrences;
    untouched tasks;
    taken bigint;
BEGIN
    SELECT * INTO successor FROM occurrences WHERE predecessor_task_id = p_task;
    IF successor.state = 'ended' THEN
        UPDATE occurrences SET state = 'withdrawn' WHERE id = successor.id;
    ELSIF successor.state = 'live' THEN
        SELECT * INTO untouched FROM tasks
        WHERE id = successor.task_id AND user_id = p_user AND revision = successor.created_revision;
        IF NOT FOUND OR steps_are_touched(p_user, untouched) THEN
            RETURN;
        END IF;
        PERFORM steps_withdraw(p_user, untouched.id, NULL, at, trace);
        SELECT * INTO untouched FROM tasks WHERE id = successor.task_id;
        taken := revision_take(p_user, 1);
        UPDATE occurrences SET state = 'withdrawn' WHERE id = successor.id;
        PERFORM task_remove(untouched, taken, at, ',"reason":"withdrawn"', trace);
        IF untouched.subtask_of IS NOT NULL THEN
            PERFORM steps_count(p_user, untouched.subtask_of, at, trace);
        END IF;
    END IF;
END $$;

-- Whether a task beneath another one passes a list's filters, as for task_matches.
CREATE FUNCTION step_matches(owner bigint, above bigint, phrase text, states text[], priorities text[], any_tags text[],
                             all_tags text[], due_from text, due_to text, has_due boolean, parent bigint,
                             changed_since text, list bigint, child_of bigint, blocked boolean, deferred text)
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (
    SELECT FROM steps_beneath(owner, above) s JOIN tasks t ON t.id = s.id
    WHERE task_matches(t, phrase, states, priorities, any_tags, all_tags, due_from, due_to, has_due, parent,
                       changed_since, list, child_of, blocked, deferred));

-- The same for a list that may be a tree: then it has only tasks that are no subtasks, and a task passes if it or a
-- task beneath it does.
CREATE FUNCTION task_matches(t tasks, phrase text, states text[], priorities text[], any_tags text[],
                             all_tags text[], due_from text, due_to text, has_due boolean, parent bigint,
                             changed_since text, list bigint, child_of bigint, blocked boolean, tree boolean,
                             deferred text)
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (tree IS NOT TRUE OR (t).subtask_of IS NULL)
    AND (task_matches(t, phrase, states, priorities, any_tags, all_tags, due_from, due_to, has_due, parent,
                      changed_since, list, child_of, blocked, deferred)
         OR (tree IS TRUE AND (t).subtasks_total > 0
             AND step_matches((t).user_id, (t).id, phrase, states, priorities, any_tags, all_tags, due_from, due_to,
                              has_due, parent, changed_since, list, child_of, blocked, deferred)));

-- Whether completing a task completes the open tasks beneath it, unless the request says so.
ALTER TABLE users ADD COLUMN complete_subtasks boolean NOT NULL DEFAULT false;

GRANT EXECUTE ON FUNCTION steps_beneath, step_matches TO rondo_task_api;
GRANT EXECUTE ON FUNCTION task_matches(tasks, text, text[], text[], text[], text[], text, text, boolean, bigint, text,
                                       bigint, bigint, boolean, boolean, text) TO rondo_task_api;
GRANT EXECUTE ON FUNCTION occurrence_steps TO rondo_recurrence;

RESET ROLE;
