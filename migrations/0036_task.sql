-- Creating, changing, skipping and deleting tasks, with the members that this release adds. What 0017_task_change.sql
-- says applies here, too; `p_task` also has
--   list_id, estimate, subtask_of, blocked_by;
--   due_at, due_day, start_at, start_day, zone_data: moments, of which the first was due_date before;
--   of_days: whether a series of the task has days as its slots; complete_subtasks: null for the user's choice.

SET LOCAL ROLE rondo_owner;

-- These two as before, but a statement of plpgsql keeps its plan.
CREATE OR REPLACE FUNCTION task_search_set(t tasks, pieces jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO task_search (task_id, keys)
    SELECT t.id, ARRAY(SELECT search_key(t.user_id, piece::bigint) FROM jsonb_array_elements_text(pieces) AS x (piece))
    ON CONFLICT ON CONSTRAINT task_search_pkey DO UPDATE SET keys = excluded.keys;
END $$;

CREATE OR REPLACE FUNCTION keep_answer(p_user bigint, p_request text, p_key text, p_hash text, p_status integer,
                                       p_answer text, at timestamptz)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO idempotency_keys (user_id, request, key, body_hash, status, answer, created_at)
    VALUES (p_user, p_request, p_key, p_hash, p_status, p_answer, at)
    ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO UPDATE
    SET body_hash = excluded.body_hash, status = excluded.status, answer = excluded.answer,
        created_at = excluded.created_at;
END $$;

-- Creates a task. Outcomes: created, replayed, key_reused, no_user; those of task_fault; uid_taken by another task.
-- `answer` is the task, or the other one.
CREATE OR REPLACE FUNCTION task_create(p_user bigint, p_task jsonb, p_request text, p_key text, p_hash text,
                            p_trace text)
RETURNS TABLE (outcome text, revision bigint, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    begun record;
    taken bigint;
    at timestamptz;
    created tasks;
    wanted timestamptz := (p_task ->> 'remind_at')::timestamptz;
    waits boolean := false;
    body text;
    fault text;
BEGIN
    begun := write_begin(p_user, 1, p_request, p_key, p_hash);
    IF begun.outcome IS NOT NULL THEN
        RETURN QUERY SELECT begun.outcome, begun.revision, begun.answer;
        RETURN;
    END IF;
    taken := begun.revision;
    IF p_task ->> 'uid' IS NOT NULL THEN
        SELECT t.representation INTO body FROM tasks t WHERE t.user_id = p_user AND t.uid = p_task ->> 'uid';
        IF FOUND THEN
            RETURN QUERY SELECT 'uid_taken', revision_take(p_user, -1), body;
            RETURN;
        END IF;
    END IF;
    -- Most tasks name no list and no other task.
    IF p_task ->> 'list_id' IS NOT NULL OR p_task ->> 'subtask_of' IS NOT NULL OR p_task -> 'blocked_by' <> '[]' THEN
        fault := task_fault(p_user, NULL, p_task);
        IF fault IS NOT NULL THEN
            RETURN QUERY SELECT fault, revision_take(p_user, -1), NULL::text;
            RETURN;
        END IF;
        waits := blockers_are_open(p_user, blockers_given(p_task));
    END IF;
    at := clock_timestamp();
    INSERT INTO tasks (user_id, given, is_blocked, created_at, updated_at, revision)
    VALUES (p_user, p_task, waits, at, at, taken)
    RETURNING * INTO created;
    PERFORM task_search_set(created, p_task -> 'search_pieces');
    body := created.representation;
    IF created.recurrence_rule IS NOT NULL THEN
        PERFORM series_start(created, p_task, NULL, at);
    END IF;
    PERFORM emit('task.created', p_user, created.id, taken, at, '', body, p_trace);
    IF wanted IS NOT NULL THEN
        PERFORM reminder_align(created, NULL::reminders, wanted, at, body, p_trace);
    END IF;
    IF created.subtask_of IS NOT NULL THEN
        PERFORM steps_count(p_user, created.subtask_of, at, p_trace);
    END IF;
    IF p_key IS NOT NULL THEN
        PERFORM keep_answer(p_user, p_request, p_key, p_hash, 201, body, at);
    END IF;
    RETURN QUERY SELECT 'created', taken, body;
END $$;

-- As before, with more outcomes: those of task_fault (nothing done). If `p_event` is task.completed, `p_task` may have
-- complete_subtasks: whether the open tasks beneath the task are completed too, before it; null for the user's setting.
CREATE OR REPLACE FUNCTION task_change(p_user bigint, p_id bigint, p_expected bigint, p_event text, p_task jsonb,
                            p_series text, p_request text, p_key text, p_hash text, p_trace text)
RETURNS TABLE (outcome text, revision bigint, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    begun record;
    taken bigint;
    at timestamptz;
    before tasks;
    changed tasks;
    body text;
    refused text;
    others jsonb;
    completes_steps boolean;
    -- Null if the blockers stay.
    blockers bigint[];
BEGIN
    begun := write_begin(p_user, 1, p_request, p_key, p_hash);
    IF begun.outcome IS NOT NULL THEN
        RETURN QUERY SELECT begun.outcome, begun.revision, begun.answer;
        RETURN;
    END IF;
    taken := begun.revision;
    SELECT * INTO before FROM tasks WHERE id = p_id AND user_id = p_user;
    IF NOT FOUND THEN
        refused := 'not_found';
    ELSIF before.revision <> p_expected THEN
        refused := 'stale';
    -- Adding a further reminder takes no revision. If the caller did not see it, its moment is missing.
    ELSIF p_event IS NOT NULL AND EXISTS (SELECT FROM reminders r WHERE r.task_id = p_id AND r.before_due IS NOT NULL
                                          AND NOT p_task -> 'further' ? r.before_due) THEN
        refused := 'stale';
    ELSE
        refused := task_fault(p_user, before, p_task);
    END IF;
    IF refused IS NOT NULL THEN
        RETURN QUERY SELECT refused, revision_take(p_user, -1), NULL::text;
        RETURN;
    END IF;
    at := clock_timestamp();
    IF p_event IS NULL THEN
        PERFORM revision_take(p_user, -1);
        body := before.representation;
        IF p_key IS NOT NULL THEN
            PERFORM keep_answer(p_user, p_request, p_key, p_hash, 200, body, at);
        END IF;
        RETURN QUERY SELECT 'unchanged', before.revision, body;
        RETURN;
    END IF;
    completes_steps := p_event = 'task.completed' AND before.subtasks_total > 0
        AND coalesce((p_task ->> 'complete_subtasks')::boolean,
                     (SELECT u.complete_subtasks FROM users u WHERE u.id = p_user));
    IF completes_steps THEN
        PERFORM revision_take(p_user, -1);
        PERFORM steps_complete(p_user, p_id, at, p_trace);
        taken := revision_take(p_user, 1);
        PERFORM undo_name(p_user, taken);
    END IF;
    IF p_task -> 'blocked_by' <> to_jsonb(before.blocked_by) THEN
        blockers := blockers_given(p_task);
    END IF;
    others := undo_others(before, p_event, p_series);
    UPDATE tasks SET
        given = p_task,
        subtasks_completed = CASE WHEN completes_steps THEN subtasks_total ELSE subtasks_completed END,
        is_blocked = CASE WHEN blockers IS NULL THEN is_blocked ELSE blockers_are_open(p_user, blockers) END,
        series_id = CASE WHEN p_series IN ('keep', 'rewrite') THEN series_id END,
        slot = CASE WHEN p_series IN ('keep', 'rewrite') THEN slot END,
        updated_at = at, revision = taken
    WHERE id = p_id
    RETURNING * INTO changed;
    PERFORM undo_keep(before, changed, p_series <> 'keep');
    IF changed.search_text <> before.search_text THEN
        PERFORM task_search_set(changed, p_task -> 'search_pieces');
    END IF;
    body := changed.representation;
    PERFORM emit(p_event, p_user, p_id, taken, at, '', body, p_trace);
    PERFORM reminders_align(changed, p_task, at, body, p_trace);
    -- Editing a completed occurrence does not end its series.
    IF p_series IN ('start', 'leave') AND before.series_id IS NOT NULL
       AND (before.status <> 'completed' OR changed.status <> 'completed') THEN
        PERFORM series_stop(p_user, before.series_id, p_id, taken, at, body, p_trace);
    END IF;
    IF p_series = 'start' THEN
        PERFORM series_start(changed, p_task, before.series_id, at);
    END IF;
    IF p_series = 'rewrite' THEN
        PERFORM series_rewrite(before, changed, p_task, at, p_trace);
    END IF;
    IF p_event = 'task.reopened' THEN
        PERFORM successor_withdraw(p_user, p_id, at, p_trace);
    END IF;
    IF others IS NOT NULL THEN
        PERFORM undo_keep_others(p_user, taken, at, others);
    END IF;
    IF p_series = 'start' THEN
        -- The successor in the previous series does not prevent one in this series.
        UPDATE occurrences SET predecessor_task_id = NULL WHERE predecessor_task_id = p_id;
    END IF;
    IF p_event = 'task.completed' THEN
        PERFORM blocker_done(p_user, p_id, false, at, p_trace);
    ELSIF p_event = 'task.reopened' THEN
        PERFORM blocker_reopened(p_user, p_id);
    END IF;
    IF before.subtask_of IS NOT NULL THEN
        PERFORM steps_count(p_user, before.subtask_of, at, p_trace);
    END IF;
    IF changed.subtask_of IS DISTINCT FROM before.subtask_of AND changed.subtask_of IS NOT NULL THEN
        PERFORM steps_count(p_user, changed.subtask_of, at, p_trace);
    END IF;
    IF p_key IS NOT NULL THEN
        PERFORM keep_answer(p_user, p_request, p_key, p_hash, 200, body, at);
    END IF;
    RETURN QUERY SELECT 'changed', taken, body;
END $$;

-- Moves a pending occurrence to a later slot of its series. Its slot and those between (`p_skipped`)
-- are recorded as skipped. `p_next`: slot, due_at, due_day, start_at, start_day, remind_at and further, as in `p_task`
-- (release 0.1.0: due_date in place of the first four). Outcomes:
-- skipped; stale (also when the slot is taken), not_found; replayed, key_reused; no_user.
CREATE OR REPLACE FUNCTION task_skip(p_user bigint, p_id bigint, p_expected bigint, p_next jsonb, p_skipped jsonb,
                          p_request text, p_key text, p_hash text, p_trace text)
RETURNS TABLE (outcome text, revision bigint, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    begun record;
    taken bigint;
    at timestamptz;
    before tasks;
    changed tasks;
    body text;
    refused text;
    next_slot timestamp := (p_next ->> 'slot')::timestamp;
BEGIN
    begun := write_begin(p_user, 1, p_request, p_key, p_hash);
    IF begun.outcome IS NOT NULL THEN
        RETURN QUERY SELECT begun.outcome, begun.revision, begun.answer;
        RETURN;
    END IF;
    taken := begun.revision;
    SELECT * INTO before FROM tasks WHERE id = p_id AND user_id = p_user;
    IF NOT FOUND THEN
        refused := 'not_found';
    ELSIF before.revision <> p_expected
          OR EXISTS (SELECT FROM reminders r WHERE r.task_id = p_id AND r.before_due IS NOT NULL
                     AND NOT p_next -> 'further' ? r.before_due)
          OR EXISTS (SELECT FROM occurrences o WHERE o.series_id = before.series_id AND o.slot = next_slot
                     AND o.scheduled AND o.state <> 'withdrawn') THEN
        refused := 'stale';
    END IF;
    IF refused IS NOT NULL THEN
        RETURN QUERY SELECT refused, revision_take(p_user, -1), NULL::text;
        RETURN;
    END IF;
    at := clock_timestamp();
    UPDATE tasks SET due_at = coalesce(p_next ->> 'due_at', p_next ->> 'due_date')::timestamptz,
                     due_day = (p_next ->> 'due_day')::date,
                     start_at = CASE WHEN p_next ? 'start_at' THEN (p_next ->> 'start_at')::timestamptz ELSE start_at END,
                     start_day = CASE WHEN p_next ? 'start_at' THEN (p_next ->> 'start_day')::date ELSE start_day END,
                     zone_data = p_next ->> 'zone_data', slot = next_slot, updated_at = at, revision = taken
    WHERE id = p_id
    RETURNING * INTO changed;
    PERFORM undo_keep(before, changed, false);
    UPDATE occurrences SET slot = next_slot WHERE task_id = p_id AND series_id = before.series_id AND state = 'live';
    INSERT INTO occurrences (series_id, user_id, slot, scheduled, state, created_at)
    SELECT before.series_id, p_user, passed.slot, before.recurrence_rule ->> 'basis' = 'schedule', 'skipped', at
    FROM (SELECT before.slot UNION
          SELECT x.passed::timestamp FROM jsonb_array_elements_text(p_skipped) AS x (passed)) AS passed (slot)
    ORDER BY passed.slot
    ON CONFLICT DO NOTHING;
    body := changed.representation;
    PERFORM emit('task.skipped', p_user, p_id, taken, at, '', body, p_trace);
    PERFORM reminders_align(changed, p_next, at, body, p_trace);
    IF p_key IS NOT NULL THEN
        PERFORM keep_answer(p_user, p_request, p_key, p_hash, 200, body, at);
    END IF;
    RETURN QUERY SELECT 'skipped', taken, body;
END $$;

-- Removes a task's row, and leaves a tombstone and an event. The caller has taken the revision, and has removed what is
-- beneath the task. Tasks that it blocked take a revision each.
CREATE OR REPLACE FUNCTION task_remove(t tasks, taken bigint, at timestamptz, members text, trace text)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    reminder reminders;
    body text := t.representation;
BEGIN
    FOR reminder IN SELECT * FROM reminders r WHERE r.task_id = t.id AND r.state = 'armed' ORDER BY r.id LOOP
        PERFORM emit('reminder.cancelled', t.user_id, t.id, taken, at,
                     reminder_members(reminder.id, reminder.remind_at, t.due_at), body, trace);
    END LOOP;
    DELETE FROM reminders r WHERE r.task_id = t.id;
    DELETE FROM task_search WHERE task_id = t.id;
    DELETE FROM tasks WHERE id = t.id;
    INSERT INTO deletions (user_id, revision, task_id, deleted_at) VALUES (t.user_id, taken, t.id, at);
    PERFORM emit('task.deleted', t.user_id, t.id, taken, at, members, body, trace);
    PERFORM blocker_done(t.user_id, t.id, true, at, trace);
END $$;

-- Deletes a task and what is beneath it; `p_expected` null accepts any revision. `p_scope` (this, future, all) applies
-- to a pending occurrence: with `this` the series continues, otherwise it ends. The series of tasks beneath it end.
-- Outcomes: deleted; stale, not_found (nothing done); no_user.
CREATE OR REPLACE FUNCTION task_delete(p_user bigint, p_id bigint, p_expected bigint, p_scope text, p_trace text)
RETURNS TABLE (outcome text, revision bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    taken bigint;
    at timestamptz;
    before tasks;
    refused text;
    steps jsonb := '[]';
BEGIN
    taken := revision_take(p_user, 1);
    IF taken IS NULL THEN
        RETURN QUERY SELECT 'no_user', 0::bigint;
        RETURN;
    END IF;
    SELECT * INTO before FROM tasks WHERE id = p_id AND user_id = p_user;
    IF NOT FOUND THEN
        refused := 'not_found';
    ELSIF before.revision <> p_expected THEN
        refused := 'stale';
    END IF;
    IF refused IS NOT NULL THEN
        RETURN QUERY SELECT refused, revision_take(p_user, -1);
        RETURN;
    END IF;
    at := clock_timestamp();
    IF before.subtasks_total > 0 THEN
        IF before.series_id IS NOT NULL AND before.status <> 'completed' AND p_scope = 'this' THEN
            steps := steps_kept(p_user, p_id);
        END IF;
        PERFORM revision_take(p_user, -1);
        PERFORM steps_discard(p_user, p_id, true, at, p_trace);
        taken := revision_take(p_user, 1);
        SELECT * INTO before FROM tasks WHERE id = p_id;
    END IF;
    PERFORM undo_name(p_user, taken);
    PERFORM undo_keep_discarded(before, taken, taken, at);
    PERFORM task_discard(before, p_scope, steps, taken, at, p_trace);
    IF before.subtask_of IS NOT NULL THEN
        PERFORM steps_count(p_user, before.subtask_of, at, p_trace);
    END IF;
    RETURN QUERY SELECT 'deleted', taken;
END $$;

RESET ROLE;
