-- Reminders of tasks.

SET LOCAL ROLE rondo_owner;

CREATE TABLE reminders (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT reminders_pkey PRIMARY KEY,
    user_id bigint NOT NULL,
    task_id bigint NOT NULL,
    -- 'task': from the task's reminder_offset, at most one; 'further': added beside it.
    kind text NOT NULL CONSTRAINT reminders_kind CHECK (kind IN ('task', 'further')),
    -- Offset before the due date, ISO 8601; null for a further reminder at a fixed moment.
    before_due text,
    -- The moment by the task or the caller; null while there is no due date to count from.
    planned_at timestamptz,
    -- When it fires: the planned moment, or the snoozed one.
    remind_at timestamptz NOT NULL,
    state text NOT NULL CONSTRAINT reminders_state CHECK (state IN ('armed', 'fired', 'cancelled')),
    -- When it was armed. If that was after remind_at, the delay until then is not lateness.
    armed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- How often it has fired.
    firing integer NOT NULL DEFAULT 0,
    -- Trace context of the request that armed it, so that the mail continues its trace.
    traceparent text,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX reminders_task_has_one ON reminders (task_id) WHERE kind = 'task';
CREATE INDEX reminders_of_task ON reminders (task_id);
CREATE INDEX reminders_by_user ON reminders (user_id, remind_at, id);
CREATE INDEX reminders_due ON reminders (remind_at) WHERE state = 'armed';

-- Members of reminder events, as for event_value.
CREATE FUNCTION reminder_members(reminder_id bigint, remind_at timestamptz, due_at timestamptz)
RETURNS text
LANGUAGE sql STABLE
RETURN ',"reminder_id":' || reminder_id || ',"remind_at":"' || instant(remind_at) || '","due_date":'
    || coalesce('"' || instant(due_at) || '"', 'null');

-- Aligns a reminder with its task: armed for the planned moment, or cancelled without one. A reminder that
-- has fired for this moment stays fired; a snoozed one stays snoozed until the plan changes. `current` is
-- null for a task without a reminder of its own.
CREATE FUNCTION reminder_align(t tasks, current reminders, planned timestamptz, at timestamptz,
                               task_data text, trace text)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    moved boolean := current.planned_at IS DISTINCT FROM planned;
    wanted timestamptz := CASE WHEN moved THEN planned ELSE current.remind_at END;
BEGIN
    -- If both the moment and the due date are past, there is nothing to remind of.
    IF t.status = 'completed' OR planned IS NULL
       OR (moved AND wanted <= at AND (t.due_at IS NULL OR t.due_at <= at)) THEN
        IF current.state = 'armed' THEN
            UPDATE reminders SET state = 'cancelled', planned_at = planned WHERE id = current.id;
            PERFORM emit('reminder.cancelled', t.user_id, t.id, t.revision, at,
                         reminder_members(current.id, current.remind_at, t.due_at), task_data, trace);
        ELSIF moved AND current.id IS NOT NULL THEN
            UPDATE reminders SET planned_at = planned WHERE id = current.id;
        END IF;
    ELSIF current.id IS NULL THEN
        INSERT INTO reminders (user_id, task_id, kind, planned_at, remind_at, state, traceparent, created_at)
        VALUES (t.user_id, t.id, 'task', planned, planned, 'armed', trace, at)
        RETURNING * INTO current;
        PERFORM emit('reminder.scheduled', t.user_id, t.id, t.revision, at,
                     reminder_members(current.id, planned, t.due_at), task_data, trace);
    ELSIF moved OR (current.state = 'cancelled' AND wanted > at) THEN
        UPDATE reminders
        SET planned_at = planned, remind_at = wanted, state = 'armed', armed_at = at, traceparent = trace
        WHERE id = current.id;
        PERFORM emit('reminder.scheduled', t.user_id, t.id, t.revision, at,
                     reminder_members(current.id, wanted, t.due_at), task_data, trace);
    END IF;
END $$;

-- Aligns all reminders of a task with it.
CREATE FUNCTION reminders_align(t tasks, p_task jsonb, at timestamptz, task_data text, trace text)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    own timestamptz := (p_task ->> 'remind_at')::timestamptz;
    current reminders;
BEGIN
    SELECT * INTO current FROM reminders r WHERE r.task_id = t.id AND r.kind = 'task';
    IF own IS NOT NULL OR current.id IS NOT NULL THEN
        PERFORM reminder_align(t, current, own, at, task_data, trace);
    END IF;
    FOR current IN SELECT * FROM reminders r WHERE r.task_id = t.id AND r.kind = 'further' ORDER BY r.id LOOP
        PERFORM reminder_align(
            t, current,
            CASE WHEN current.before_due IS NULL THEN current.planned_at
                 ELSE (p_task -> 'further' ->> current.before_due)::timestamptz END,
            at, task_data, trace);
    END LOOP;
END $$;

-- A reminder as the API returns it, with its own offset or its task's.
CREATE FUNCTION reminder_json(r reminders, t tasks) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', (r).id, 'task_id', (r).task_id, 'kind', (r).kind,
    'offset', CASE (r).kind WHEN 'task' THEN (t).reminder_offset ELSE (r).before_due END,
    'remind_at', instant((r).remind_at), 'snoozed', (r).planned_at IS DISTINCT FROM (r).remind_at,
    'status', (r).state, 'created_at', instant((r).created_at));

-- Adds a further reminder to a task: at the moment `p_at`, calculated from the offset `p_before`, if given,
-- and the current due date. It does not change the task and so takes no revision. Outcomes: added; stale,
-- not_found, too_many (nothing done); replayed, key_reused; no_user.
CREATE FUNCTION reminder_add(p_user bigint, p_task bigint, p_expected bigint, p_before text, p_at text,
                             p_max bigint, p_request text, p_key text, p_hash text, p_trace text)
RETURNS TABLE (outcome text, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    begun record;
    at timestamptz;
    t tasks;
    added reminders;
    body text;
BEGIN
    begun := write_begin(p_user, 0, p_request, p_key, p_hash);
    IF begun.outcome IS NOT NULL THEN
        RETURN QUERY SELECT begun.outcome, begun.answer;
        RETURN;
    END IF;
    SELECT * INTO t FROM tasks WHERE id = p_task AND user_id = p_user;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'not_found', NULL::text;
        RETURN;
    ELSIF t.revision <> p_expected THEN
        RETURN QUERY SELECT 'stale', NULL::text;
        RETURN;
    ELSIF (SELECT count(*) FROM reminders r WHERE r.task_id = p_task AND r.kind = 'further') >= p_max THEN
        RETURN QUERY SELECT 'too_many', NULL::text;
        RETURN;
    END IF;
    at := clock_timestamp();
    INSERT INTO reminders (user_id, task_id, kind, before_due, planned_at, remind_at, state, traceparent, created_at)
    VALUES (p_user, p_task, 'further', p_before, p_at::timestamptz, p_at::timestamptz, 'armed', p_trace, at)
    RETURNING * INTO added;
    PERFORM emit('reminder.scheduled', p_user, p_task, t.revision, at,
                 reminder_members(added.id, added.remind_at, t.due_at), t.representation, p_trace);
    body := reminder_json(added, t);
    IF p_key IS NOT NULL THEN
        PERFORM keep_answer(p_user, p_request, p_key, p_hash, 201, body, at);
    END IF;
    RETURN QUERY SELECT 'added', body;
END $$;

-- Arms a reminder for another moment, until its plan changes. Outcomes: snoozed; not_found; completed (the
-- task).
CREATE FUNCTION reminder_snooze(p_user bigint, p_reminder bigint, p_until text, p_trace text)
RETURNS TABLE (outcome text, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    t tasks;
    snoozed reminders;
BEGIN
    PERFORM revision_take(p_user, 0);
    SELECT t.* INTO t FROM reminders r JOIN tasks t ON t.id = r.task_id
    WHERE r.id = p_reminder AND r.user_id = p_user;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'not_found', NULL::text;
        RETURN;
    ELSIF t.status = 'completed' THEN
        RETURN QUERY SELECT 'completed', NULL::text;
        RETURN;
    END IF;
    UPDATE reminders
    SET remind_at = p_until::timestamptz, state = 'armed', armed_at = clock_timestamp(), traceparent = p_trace
    WHERE id = p_reminder
    RETURNING * INTO snoozed;
    PERFORM emit('reminder.scheduled', p_user, t.id, t.revision, clock_timestamp(),
                 reminder_members(snoozed.id, snoozed.remind_at, t.due_at), t.representation, p_trace);
    RETURN QUERY SELECT 'snoozed', reminder_json(snoozed, t)::text;
END $$;

-- Removes a reminder. Removing a task's own one clears its reminder_offset, which is a change of the
-- task. Outcomes: removed; not_found.
CREATE FUNCTION reminder_remove(p_user bigint, p_reminder bigint, p_trace text)
RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    taken bigint;
    at timestamptz;
    t tasks;
    removed reminders;
    body text;
BEGIN
    taken := revision_take(p_user, 1);
    DELETE FROM reminders WHERE id = p_reminder AND user_id = p_user RETURNING * INTO removed;
    SELECT * INTO t FROM tasks WHERE id = removed.task_id;
    at := clock_timestamp();
    IF removed.kind = 'task' AND t.reminder_offset IS NOT NULL THEN
        UPDATE tasks SET reminder_offset = NULL, updated_at = at, revision = taken WHERE id = t.id
        RETURNING * INTO t;
        body := t.representation;
        PERFORM emit('task.updated', p_user, t.id, taken, at, '', body, p_trace);
    ELSE
        PERFORM revision_take(p_user, -1);
        body := t.representation;
    END IF;
    IF removed.state = 'armed' THEN
        PERFORM emit('reminder.cancelled', p_user, t.id, t.revision, at,
                     reminder_members(removed.id, removed.remind_at, t.due_at), body, p_trace);
    END IF;
    RETURN QUERY SELECT CASE WHEN removed.id IS NULL THEN 'not_found' ELSE 'removed' END;
END $$;

GRANT SELECT ON reminders TO rondo_task_api, rondo_notify, rondo_bridge;
GRANT EXECUTE ON FUNCTION reminder_json, reminder_add, reminder_snooze, reminder_remove TO rondo_task_api;

RESET ROLE;
