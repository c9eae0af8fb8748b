-- Deleted tasks, which can be restored for a time.

SET LOCAL ROLE rondo_owner;

-- A task as it can be put back: the row, its reminders and, if wanted, its search keys and the ids of the tasks that it
-- blocks.
CREATE FUNCTION task_snapshot(t tasks, with_keys boolean) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
    snapshot jsonb := to_jsonb(t) - ARRAY['representation', 'given'] || jsonb_build_object('reminders', (
        SELECT coalesce(jsonb_agg(to_jsonb(r) ORDER BY r.id), '[]') FROM reminders r WHERE r.task_id = t.id));
BEGIN
    IF with_keys THEN
        snapshot := snapshot || jsonb_build_object('search_keys', (
            SELECT coalesce(array_agg(k.key), '{}') FROM task_search s, unnest(s.keys) AS k (key) WHERE s.task_id = t.id),
            'blocks', (SELECT coalesce(jsonb_agg(b.id), '[]') FROM tasks_blocked_by(t.user_id, t.id) b));
    END IF;
    RETURN snapshot;
END $$;

CREATE TABLE trash (
    task_id bigint NOT NULL CONSTRAINT trash_pkey PRIMARY KEY,
    user_id bigint NOT NULL,
    -- Of the deletion.
    revision bigint NOT NULL,
    deleted_at timestamptz NOT NULL,
    -- The task as the API returned it, JSON.
    representation text NOT NULL,
    -- By task_snapshot, with search keys.
    snapshot jsonb NOT NULL
);
CREATE UNIQUE INDEX trash_by_revision ON trash (user_id, revision);
CREATE INDEX trash_by_time ON trash (deleted_at);

-- Puts a task into the trash and removes it. `p_scope` (this, future, all) applies to a pending occurrence: with `this`
-- the series continues, otherwise it ends. `p_steps` are the tasks that were beneath it, as steps_kept gives them, if
-- the series continues. The caller has taken the revision.
CREATE FUNCTION task_discard(t tasks, p_scope text, p_steps jsonb, taken bigint, at timestamptz, trace text)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    search_keys bigint[] := (SELECT s.keys FROM task_search s WHERE s.task_id = t.id);
BEGIN
    INSERT INTO trash (task_id, user_id, revision, deleted_at, representation, snapshot)
    VALUES (t.id, t.user_id, taken, at, t.representation, task_snapshot(t, true));
    PERFORM task_remove(t, taken, at, ',"reason":"deleted","scope":"' || p_scope || '"', trace);
    IF t.series_id IS NOT NULL AND t.status <> 'completed' THEN
        IF p_scope = 'this' THEN
            UPDATE occurrences SET deleted_task = to_jsonb(t)
                || jsonb_build_object('search_keys', search_keys, 'steps', p_steps)
            WHERE task_id = t.id AND series_id = t.series_id;
        ELSE
            PERFORM series_stop(t.user_id, t.series_id, t.id, taken, at, t.representation, trace);
        END IF;
    END IF;
END $$;

-- A position that no other task of the user has: the wanted one, or one right after it.
CREATE FUNCTION position_free(p_user bigint, p_task bigint, wanted text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    WHILE EXISTS (SELECT FROM tasks x WHERE x.user_id = p_user AND x.position = wanted AND x.id <> p_task) LOOP
        wanted := wanted || 'V';
    END LOOP;
    RETURN wanted;
END $$;

-- Takes back that a series was ended at one of these times.
CREATE FUNCTION series_resume(p_series bigint, p_times timestamptz[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    ended timestamptz;
BEGIN
    SELECT s.ended_at INTO ended FROM series s WHERE s.id = p_series AND s.ended_at = ANY (p_times);
    IF FOUND THEN
        UPDATE series SET ended_at = NULL WHERE id = p_series;
        DELETE FROM occurrences o
        WHERE o.series_id = p_series AND o.state = 'ended' AND o.predecessor_task_id IS NULL AND o.created_at = ended;
    END IF;
END $$;

-- Puts a removed task back, as it was by its snapshot, with a new revision. `p_removed` is the revision and
-- `p_times` are the times of the change that removed it. The caller has made sure that its uid is free. If its
-- list is gone, it is in the inbox; if the task that it is a subtask of is gone, it is a task by itself. It blocks what
-- it blocked, and is blocked by what is still there. A reminder that was armed is armed again, unless its moment is
-- past. Its series goes on, if it ended with the task. Its occurrence keeps the successor that it has got in the
-- meantime.
CREATE FUNCTION task_revive(p_user bigint, p_snapshot jsonb, p_removed bigint, p_times timestamptz[], taken bigint,
                            at timestamptz, trace text)
RETURNS tasks
LANGUAGE plpgsql AS $$
DECLARE
    t tasks := jsonb_populate_record(NULL::tasks, p_snapshot);
    reminder reminders;
BEGIN
    t.updated_at := at;
    t.revision := taken;
    t.list_id := (SELECT l.id FROM lists l WHERE l.id = t.list_id AND l.user_id = p_user);
    t.position := position_free(p_user, t.id, t.position);
    t.subtask_of := (SELECT x.id FROM tasks x WHERE x.id = t.subtask_of AND x.user_id = p_user);
    t.blocked_by := ARRAY(SELECT x.id FROM tasks x WHERE x.id = ANY (t.blocked_by) AND x.user_id = p_user ORDER BY x.id);
    t.is_blocked := blockers_are_open(p_user, t.blocked_by);
    INSERT INTO tasks OVERRIDING SYSTEM VALUE SELECT t.* RETURNING * INTO t;
    INSERT INTO task_search (task_id, keys)
    VALUES (t.id, ARRAY(SELECT x.key::bigint FROM jsonb_array_elements_text(p_snapshot -> 'search_keys') AS x (key)));
    -- The feed has a task either as deleted or as it is.
    DELETE FROM deletions d WHERE d.user_id = p_user AND d.revision = p_removed AND d.task_id = t.id;
    UPDATE occurrences o
    SET deleted_task = NULL, created_revision = CASE o.state WHEN 'withdrawn' THEN taken ELSE o.created_revision END,
        state = CASE o.state WHEN 'withdrawn' THEN 'live' ELSE o.state END
    WHERE o.task_id = t.id AND o.series_id = t.series_id;
    PERFORM series_resume(t.series_id, p_times);
    IF t.status <> 'completed' THEN
        -- Completing it ends the series again.
        UPDATE occurrences o SET state = 'withdrawn' WHERE o.predecessor_task_id = t.id AND o.state = 'ended';
    END IF;
    PERFORM emit('task.restored', p_user, t.id, taken, at, '', t.representation, trace);
    FOR reminder IN SELECT * FROM jsonb_populate_recordset(NULL::reminders, p_snapshot -> 'reminders') LOOP
        IF reminder.state = 'armed' AND reminder.remind_at <= at THEN
            reminder.state := 'cancelled';
        END IF;
        INSERT INTO reminders OVERRIDING SYSTEM VALUE SELECT reminder.*;
        IF reminder.state = 'armed' THEN
            PERFORM emit('reminder.scheduled', p_user, t.id, taken, at,
                         reminder_members(reminder.id, reminder.remind_at, t.due_at), t.representation, trace);
        END IF;
    END LOOP;
    PERFORM blocker_revived(p_user, t.id, p_snapshot -> 'blocks', at, trace);
    RETURN t;
END $$;

-- Restores what was deleted along with a task, from the highest level down. A task whose uid is taken stays in the
-- trash.
CREATE FUNCTION steps_restore(p_user bigint, p_task bigint, p_deleted timestamptz, first bigint, at timestamptz, trace text)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    found_trash trash;
    taken bigint;
BEGIN
    FOR found_trash IN SELECT * FROM trash x
                       WHERE x.user_id = p_user AND x.deleted_at = p_deleted
                         AND (x.snapshot ->> 'subtask_of')::bigint = p_task
                       -- A task comes back before those that block it.
                       ORDER BY x.revision DESC LOOP
        CONTINUE WHEN EXISTS (SELECT FROM tasks x WHERE x.user_id = p_user AND x.uid = found_trash.snapshot ->> 'uid');
        taken := revision_take(p_user, 1);
        PERFORM undo_keep_revived(p_user, found_trash.task_id, first, taken, false, at);
        PERFORM task_revive(p_user, found_trash.snapshot, found_trash.revision, ARRAY[p_deleted], taken, at, trace);
        DELETE FROM trash x WHERE x.task_id = found_trash.task_id;
        PERFORM steps_restore(p_user, found_trash.task_id, p_deleted, first, at, trace);
    END LOOP;
    PERFORM steps_count(p_user, p_task, at, trace);
END $$;

-- Restores a task from the trash, with all that was deleted along with it; a task that is not deleted stays as it is.
-- Outcomes: restored; unchanged; not_found; uid_taken by another task, which `answer` then is; replayed, key_reused;
-- no_user.
CREATE FUNCTION task_restore(p_user bigint, p_id bigint, p_request text, p_key text, p_hash text, p_trace text)
RETURNS TABLE (outcome text, revision bigint, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    begun record;
    at timestamptz;
    found_trash trash;
    t tasks;
    outcome text := 'restored';
BEGIN
    begun := write_begin(p_user, 1, p_request, p_key, p_hash);
    IF begun.outcome IS NOT NULL THEN
        RETURN QUERY SELECT begun.outcome, begun.revision, begun.answer;
        RETURN;
    END IF;
    SELECT * INTO t FROM tasks x WHERE x.id = p_id AND x.user_id = p_user;
    IF FOUND THEN
        outcome := 'unchanged';
    ELSE
        SELECT * INTO found_trash FROM trash x WHERE x.task_id = p_id AND x.user_id = p_user FOR UPDATE;
        IF NOT FOUND THEN
            RETURN QUERY SELECT 'not_found', revision_take(p_user, -1), NULL::text;
            RETURN;
        END IF;
        SELECT * INTO t FROM tasks x WHERE x.user_id = p_user AND x.uid = found_trash.snapshot ->> 'uid';
        IF FOUND THEN
            RETURN QUERY SELECT 'uid_taken', revision_take(p_user, -1), t.representation;
            RETURN;
        END IF;
    END IF;
    at := clock_timestamp();
    IF outcome = 'restored' THEN
        PERFORM undo_keep_revived(p_user, p_id, begun.revision, begun.revision, false, at);
        t := task_revive(p_user, found_trash.snapshot, found_trash.revision, ARRAY[found_trash.deleted_at],
                         begun.revision, at, p_trace);
        DELETE FROM trash x WHERE x.task_id = p_id;
        IF t.subtasks_total > 0 THEN
            PERFORM steps_restore(p_user, p_id, found_trash.deleted_at, begun.revision, at, p_trace);
            SELECT * INTO t FROM tasks x WHERE x.id = p_id;
        END IF;
        IF t.subtask_of IS NOT NULL THEN
            PERFORM steps_count(p_user, t.subtask_of, at, p_trace);
        END IF;
        PERFORM undo_catch_up(p_user, begun.revision, at);
    ELSE
        PERFORM revision_take(p_user, -1);
    END IF;
    IF p_key IS NOT NULL THEN
        PERFORM keep_answer(p_user, p_request, p_key, p_hash, 200, t.representation, at);
    END IF;
    RETURN QUERY SELECT outcome, t.revision, t.representation;
END $$;

-- Deletes a task in the trash for good. It changes no task and so takes no revision. Outcomes: deleted; not_found.
CREATE FUNCTION task_purge(p_user bigint, p_id bigint) RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM trash x WHERE x.task_id = p_id AND x.user_id = p_user;
    RETURN QUERY SELECT CASE WHEN FOUND THEN 'deleted' ELSE 'not_found' END;
END $$;

-- Deletes what has been in the trash for p_days.
CREATE FUNCTION trash_retain(p_days integer, p_limit integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM trash WHERE task_id IN (
            SELECT task_id FROM trash WHERE deleted_at < clock_timestamp() - p_days * interval '1 day'
            ORDER BY deleted_at LIMIT p_limit FOR UPDATE SKIP LOCKED)
        RETURNING 1)
    SELECT count(*) FROM gone
$$;

GRANT SELECT ON trash TO rondo_task_api;
GRANT EXECUTE ON FUNCTION task_restore, task_purge TO rondo_task_api;
GRANT EXECUTE ON FUNCTION trash_retain TO rondo_bridge;

RESET ROLE;
