-- Lists of tasks; the list, the position and the estimate of each task.

SET LOCAL ROLE rondo_owner;

UPDATE schema_release SET release = '0.2.0', runs_from = 25;

CREATE TABLE lists (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT lists_pkey PRIMARY KEY,
    user_id bigint NOT NULL,
    name text NOT NULL,
    -- #rrggbb
    color text,
    icon text,
    -- A user's lists are ordered by it.
    position text COLLATE "C" NOT NULL,
    archived boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    revision bigint NOT NULL
);
CREATE UNIQUE INDEX lists_position_taken ON lists (user_id, position);
CREATE UNIQUE INDEX lists_by_revision ON lists (user_id, revision);

-- The position of a new row: after those of all rows with lower ids.
CREATE FUNCTION position_of(id bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 'a' || lpad(to_hex(id), 14, '0');

-- A list as the API returns it, JSON.
CREATE FUNCTION list_json(l lists) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', (l).id, 'name', (l).name, 'color', (l).color, 'icon', (l).icon, 'position', (l).position,
    'archived', (l).archived, 'created_at', instant((l).created_at), 'updated_at', instant((l).updated_at),
    'revision', (l).revision)::text;

-- The task's list; null for the inbox. task_fill fills it.
ALTER TABLE tasks ADD COLUMN list_id bigint;
-- In minutes. task_fill fills it.
ALTER TABLE tasks ADD COLUMN estimate bigint;
-- The task that this one is a subtask of. task_fill fills it.
ALTER TABLE tasks ADD COLUMN subtask_of bigint;
-- How many subtasks it has, without theirs, and how many of them are completed.
ALTER TABLE tasks ADD COLUMN subtasks_total bigint NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN subtasks_completed bigint NOT NULL DEFAULT 0;
-- The tasks to complete before this one, in ascending order, and whether one of them is not completed. task_fill fills
-- the first.
ALTER TABLE tasks ADD COLUMN blocked_by bigint[] NOT NULL DEFAULT '{}';
ALTER TABLE tasks ADD COLUMN is_blocked boolean NOT NULL DEFAULT false;
-- A user's tasks are ordered by it. No two of a user's are equal, so a task keeps it when it changes its list.
ALTER TABLE tasks ADD COLUMN position text COLLATE "C";

-- A new row has its position from its id.
CREATE OR REPLACE FUNCTION task_represent() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.position := coalesce(NEW.position, public.position_of(NEW.id));
    NEW.representation := '{"id":' || NEW.id || ',"user_id":' || NEW.user_id || ',"uid":' || to_json(NEW.uid)
        || ',"title":' || to_json(NEW.title)
        || ',"description":' || coalesce(to_json(NEW.description)::text, 'null')
        || ',"status":"' || NEW.status || '","priority":' || coalesce('"' || NEW.priority || '"', 'null')
        || ',"tags":' || to_json(NEW.tags) || ',"list_id":' || coalesce(NEW.list_id::text, 'null')
        || ',"position":"' || NEW.position || '"'
        || ',"subtask_of":' || coalesce(NEW.subtask_of::text, 'null')
        || ',"subtasks":{"total":' || NEW.subtasks_total || ',"completed":' || NEW.subtasks_completed || '}'
        || ',"blocked_by":[' || array_to_string(NEW.blocked_by, ',') || ']'
        || ',"estimate":' || coalesce(NEW.estimate::text, 'null')
        || ',"due_date":' || coalesce('"' || public.instant(NEW.due_at) || '"', 'null')
        || ',"time_zone":' || to_json(NEW.time_zone)
        || ',"reminder_offset":' || coalesce(to_json(NEW.reminder_offset)::text, 'null')
        || ',"recurrence_rule":' || coalesce(NEW.recurrence_rule::text, 'null')
        || ',"parent_task_id":' || coalesce(NEW.parent_task_id::text, 'null')
        || ',"created_at":"' || public.instant(NEW.created_at) || '","updated_at":"' || public.instant(NEW.updated_at)
        || '","completed_at":' || coalesce('"' || public.instant(NEW.completed_at) || '"', 'null')
        || ',"revision":' || NEW.revision || '}';
    RETURN NEW;
END $$;

-- task_represent fires.
UPDATE tasks SET list_id = NULL;
ALTER TABLE tasks ALTER COLUMN position SET NOT NULL;
CREATE UNIQUE INDEX tasks_position_taken ON tasks (user_id, position);

-- Turns a task's object into the row. A member becomes the column of its name. A column without a member
-- stays as it is, and so does uid if the member is null. Members without a column are for the calling
-- function.
CREATE OR REPLACE FUNCTION task_fill() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    own_uid text := NEW.uid;
BEGIN
    NEW := jsonb_populate_record(NEW, NEW.given);
    NEW.uid := coalesce(NEW.uid, own_uid);
    NEW.due_at := (NEW.given ->> 'due_date')::timestamptz;
    NEW.time_zone := coalesce(NEW.time_zone, (SELECT u.time_zone FROM public.users u WHERE u.id = NEW.user_id));
    NEW.completed_at := CASE NEW.given ->> 'completion'
        WHEN 'set' THEN NEW.updated_at WHEN 'keep' THEN NEW.completed_at END;
    NEW.given := NULL;
    RETURN NEW;
END $$;

-- Starts a series at a task, which is its first occurrence. `previous` is the series that it continues,
-- if any.
CREATE OR REPLACE FUNCTION series_start(t tasks, p_task jsonb, previous bigint, at timestamptz) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    anchor timestamp := (p_task ->> 'anchor')::timestamp;
    started bigint;
BEGIN
    INSERT INTO series (user_id, first_task_id, recurrence_rule, anchor, time_zone, counts_completions,
                        created_at, previous_series_id)
    VALUES (t.user_id, t.id, t.recurrence_rule, anchor, t.time_zone,
            (p_task ->> 'counts_completions')::boolean, at, previous)
    RETURNING id INTO started;
    INSERT INTO occurrences (series_id, user_id, task_id, slot, scheduled, state, created_revision, created_at)
    VALUES (started, t.user_id, t.id, anchor, t.recurrence_rule ->> 'basis' = 'schedule', 'live',
            t.revision, at);
    UPDATE tasks SET series_id = started, slot = anchor WHERE id = t.id;
    RETURN started;
END $$;

-- The row of a new task, copied from another except for what identifies it and for its position. If its list
-- is gone, it is in the inbox.
CREATE OR REPLACE FUNCTION task_like(t tasks) RETURNS tasks
LANGUAGE plpgsql AS $$
BEGIN
    t.id := nextval(pg_get_serial_sequence('public.tasks', 'id'));
    t.uid := public.uuid_v7();
    t.position := NULL;
    t.list_id := (SELECT l.id FROM public.lists l WHERE l.id = t.list_id AND l.user_id = t.user_id);
    RETURN t;
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
    fault := task_fault(p_user, NULL, p_task);
    IF fault IS NOT NULL THEN
        RETURN QUERY SELECT fault, revision_take(p_user, -1), NULL::text;
        RETURN;
    END IF;
    IF p_task -> 'blocked_by' <> '[]' THEN
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
    END IF;
    IF p_task -> 'blocked_by' <> to_jsonb(before.blocked_by) THEN
        blockers := blockers_given(p_task);
    END IF;
    UPDATE tasks SET
        given = p_task,
        subtasks_completed = CASE WHEN completes_steps THEN subtasks_total ELSE subtasks_completed END,
        is_blocked = CASE WHEN blockers IS NULL THEN is_blocked ELSE blockers_are_open(p_user, blockers) END,
        series_id = CASE WHEN p_series IN ('keep', 'rewrite') THEN series_id END,
        slot = CASE WHEN p_series IN ('keep', 'rewrite') THEN slot END,
        updated_at = at, revision = taken
    WHERE id = p_id
    RETURNING * INTO changed;
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
-- are recorded as skipped. `p_next`: slot, due_date, remind_at and further, as in `p_task`. Outcomes:
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
    UPDATE tasks SET due_at = (p_next ->> 'due_date')::timestamptz, slot = next_slot, updated_at = at,
                     revision = taken
    WHERE id = p_id
    RETURNING * INTO changed;
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
    search_keys bigint[];
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
    search_keys := (SELECT s.keys FROM task_search s WHERE s.task_id = p_id);
    IF before.subtasks_total > 0 THEN
        IF before.series_id IS NOT NULL AND before.status <> 'completed' AND p_scope = 'this' THEN
            steps := steps_kept(p_user, p_id);
        END IF;
        PERFORM revision_take(p_user, -1);
        PERFORM steps_remove(p_user, p_id, at, ',"reason":"deleted","scope":"all"', p_trace);
        taken := revision_take(p_user, 1);
        SELECT * INTO before FROM tasks WHERE id = p_id;
    END IF;
    PERFORM task_remove(before, taken, at, ',"reason":"deleted","scope":"' || p_scope || '"', p_trace);
    IF before.series_id IS NOT NULL AND before.status <> 'completed' THEN
        IF p_scope = 'this' THEN
            UPDATE occurrences SET deleted_task = to_jsonb(before)
                || jsonb_build_object('search_keys', search_keys, 'steps', steps)
            WHERE task_id = p_id AND series_id = before.series_id;
        ELSE
            PERFORM series_stop(p_user, before.series_id, p_id, taken, at, before.representation, p_trace);
        END IF;
    END IF;
    IF before.subtask_of IS NOT NULL THEN
        PERFORM steps_count(p_user, before.subtask_of, at, p_trace);
    END IF;
    RETURN QUERY SELECT 'deleted', taken;
END $$;

-- Creates the successor of a completed occurrence, or of a pending one that was deleted alone, as a pending
-- task, with what was beneath the predecessor. `p_next`: the successor and, if all past slots are caught up, those after
-- it, as objects of slot, due, remind_at (or null), steps (as steps_renew takes them, with the revisions that they were
-- planned for), levels_max and subtasks_max; each is the predecessor of the next. `p_skipped`: skipped slots. `p_series`:
-- the series that the slots were calculated for. Outcomes: created; exists (another delivery came first, or the series
-- has ended); stale (the predecessor is no longer completed or is in another series, what is beneath it has changed, or
-- the slot is taken).
CREATE OR REPLACE FUNCTION occurrence_create(p_user bigint, p_predecessor bigint, p_series bigint, p_next jsonb,
                                  p_skipped jsonb, p_trace text)
RETURNS TABLE (outcome text, made bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    taken bigint;
    at timestamptz;
    predecessor tasks;
    follows bigint := p_predecessor;
    rule series;
    next jsonb;
    next_id bigint;
    created tasks;
    body text;
    made bigint := 0;
    refused text;
    search_keys bigint[];
    steps jsonb := '[]';
    ids jsonb;
BEGIN
    taken := revision_take(p_user, 1);
    IF taken IS NULL THEN
        RETURN QUERY SELECT 'stale', 0::bigint;
        RETURN;
    END IF;
    at := clock_timestamp();
    SELECT * INTO predecessor FROM tasks WHERE id = p_predecessor AND user_id = p_user;
    search_keys := (SELECT s.keys FROM task_search s WHERE s.task_id = predecessor.id);
    IF predecessor.id IS NULL THEN
        SELECT (jsonb_populate_record(NULL::tasks, o.deleted_task)).* INTO predecessor
        FROM occurrences o WHERE o.task_id = p_predecessor AND o.user_id = p_user AND o.deleted_task IS NOT NULL;
        search_keys := ARRAY(SELECT jsonb_array_elements_text(o.deleted_task -> 'search_keys')::bigint
                             FROM occurrences o WHERE o.task_id = p_predecessor AND o.user_id = p_user);
    ELSIF predecessor.status <> 'completed' THEN
        refused := 'stale';
    END IF;
    SELECT * INTO rule FROM series WHERE id = predecessor.series_id;
    IF rule.id IS DISTINCT FROM p_series THEN
        refused := 'stale';
    ELSIF rule.ended_at IS NOT NULL AND refused IS NULL THEN
        refused := 'exists';
    END IF;
    IF predecessor.subtasks_total > 0 AND refused IS NULL THEN
        steps := occurrence_steps(p_user, p_predecessor);
        IF steps_are_stale(steps, p_next -> 0 -> 'steps') THEN
            refused := 'stale';
        END IF;
    END IF;
    FOR next IN SELECT x.step FROM jsonb_array_elements(p_next) WITH ORDINALITY AS x (step, place) ORDER BY x.place LOOP
        EXIT WHEN refused IS NOT NULL;
        IF made > 0 THEN
            taken := revision_take(p_user, 1);
        END IF;
        created := task_like(predecessor);
        next_id := created.id;
        -- Two unique keys decide: one successor per predecessor, one task per slot. A withdrawn successor is
        -- revived once.
        UPDATE occurrences o
        SET state = 'live', task_id = next_id, slot = (next ->> 'slot')::timestamp, created_revision = taken,
            scheduled = rule.recurrence_rule ->> 'basis' = 'schedule', series_id = rule.id
        WHERE o.predecessor_task_id = follows AND o.state = 'withdrawn'
          AND NOT EXISTS (SELECT FROM occurrences other
                          WHERE other.series_id = rule.id AND other.slot = (next ->> 'slot')::timestamp
                            AND other.scheduled AND other.state <> 'withdrawn');
        IF NOT FOUND THEN
            INSERT INTO occurrences (series_id, user_id, task_id, predecessor_task_id, slot, scheduled,
                                     state, created_revision, created_at)
            VALUES (rule.id, p_user, next_id, follows, (next ->> 'slot')::timestamp,
                    rule.recurrence_rule ->> 'basis' = 'schedule', 'live', taken, at)
            ON CONFLICT DO NOTHING;
            IF NOT FOUND THEN
                SELECT CASE WHEN count(*) > 0 THEN 'exists' ELSE 'stale' END INTO refused
                FROM occurrences o WHERE o.predecessor_task_id = follows AND o.state <> 'withdrawn';
                EXIT;
            END IF;
        END IF;
        ids := steps_ids(steps, p_predecessor, next_id);
        created.subtasks_total := steps_of(steps, p_predecessor);
        created.subtasks_completed := 0;
        created.blocked_by := blockers_renewed(predecessor.blocked_by, ids);
        created.is_blocked := created.blocked_by <> '{}';
        -- Where there is no room, it is a task by itself.
        IF created.subtask_of IS NOT NULL THEN
            IF step_fault(p_user, NULL, created.subtask_of, jsonb_array_length(steps), next) IS NOT NULL THEN
                created.subtask_of := NULL;
            END IF;
        END IF;
        -- Everything else is inherited.
        created.status := 'pending';
        created.completed_at := NULL;
        created.due_at := (next ->> 'due')::timestamptz;
        created.parent_task_id := rule.first_task_id;
        created.series_id := rule.id;
        created.slot := (next ->> 'slot')::timestamp;
        created.created_at := at;
        created.updated_at := at;
        created.revision := taken;
        INSERT INTO tasks OVERRIDING SYSTEM VALUE SELECT created.* RETURNING * INTO created;
        INSERT INTO task_search (task_id, keys) VALUES (next_id, search_keys);
        body := created.representation;
        PERFORM emit('task.created', p_user, next_id, taken, at, '', body, p_trace);
        IF next ->> 'remind_at' IS NOT NULL THEN
            PERFORM reminder_align(created, NULL::reminders, (next ->> 'remind_at')::timestamptz, at, body, p_trace);
        END IF;
        IF steps <> '[]' THEN
            PERFORM steps_renew(p_user, steps, ids, next -> 'steps', at, p_trace);
        END IF;
        follows := next_id;
        made := made + 1;
    END LOOP;
    IF refused IS NOT NULL THEN
        PERFORM revision_take(p_user, -1);
    END IF;
    IF made = 0 THEN
        RETURN QUERY SELECT refused, 0::bigint;
        RETURN;
    END IF;
    IF predecessor.subtask_of IS NOT NULL THEN
        PERFORM steps_count(p_user, predecessor.subtask_of, at, p_trace);
    END IF;
    INSERT INTO occurrences (series_id, user_id, slot, scheduled, state, created_at)
    SELECT rule.id, p_user, passed::timestamp, true, 'skipped', at
    FROM jsonb_array_elements_text(p_skipped) AS x (passed)
    ON CONFLICT DO NOTHING;
    RETURN QUERY SELECT 'created', made;
END $$;

-- Whether a task passes a list's filters; a null filter passes all. `phrase` is folded like search_text; tags
-- are keys; the list 0 is the inbox. Postgres inlines the function into the statements that use it.
CREATE FUNCTION task_matches(t tasks, phrase text, states text[], priorities text[], any_tags text[],
                             all_tags text[], due_from text, due_to text, has_due boolean,
                             parent bigint, changed_since text, list bigint, child_of bigint, blocked boolean)
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (phrase IS NULL OR strpos((t).search_text, phrase) > 0)
    AND (states IS NULL OR (t).status = ANY (states))
    AND (priorities IS NULL OR (t).priority = ANY (priorities))
    AND (any_tags IS NULL OR (t).tag_keys && any_tags)
    AND (all_tags IS NULL OR (t).tag_keys @> all_tags)
    AND (due_from IS NULL OR (t).due_at >= due_from::timestamptz)
    AND (due_to IS NULL OR (t).due_at <= due_to::timestamptz)
    AND (has_due IS NULL OR ((t).due_at IS NOT NULL) = has_due)
    AND (parent IS NULL OR (t).parent_task_id = parent)
    AND (changed_since IS NULL OR (t).updated_at >= changed_since::timestamptz)
    AND (list IS NULL OR coalesce((t).list_id, 0) = list)
    AND (child_of IS NULL OR (t).subtask_of = child_of)
    AND (blocked IS NULL OR (t).is_blocked = blocked);

-- A tombstone is of a task or of a list.
ALTER TABLE deletions ALTER COLUMN task_id DROP NOT NULL;
ALTER TABLE deletions ADD COLUMN list_id bigint;
ALTER TABLE deletions ADD CONSTRAINT deletions_of_one CHECK (num_nonnulls(task_id, list_id) = 1);

-- Puts an event about a list into the outbox; `members` as for event_value.
CREATE FUNCTION list_emit(event_type text, l lists, revision bigint, at timestamptz, members text, trace text)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    event_id uuid := gen_random_uuid();
BEGIN
    INSERT INTO outbox (event_id, event_type, user_id, occurred_at, traceparent, payload)
    VALUES (event_id, list_emit.event_type, l.user_id, at, trace,
            event_value(event_id, list_emit.event_type, at,
                        ',"list_id":' || l.id || ',"user_id":' || l.user_id || ',"revision":' || revision
                        || members || ',"list_data":' || list_json(l)));
END $$;

-- Creates a list, after all others. `p_list`: name, color, icon, archived, validated. `p_max`: how many lists
-- a user may have. Outcomes: created; too_many; replayed, key_reused; no_user.
CREATE FUNCTION list_create(p_user bigint, p_list jsonb, p_max bigint, p_request text, p_key text, p_hash text,
                            p_trace text)
RETURNS TABLE (outcome text, revision bigint, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    begun record;
    at timestamptz;
    created lists;
    body text;
BEGIN
    begun := write_begin(p_user, 1, p_request, p_key, p_hash);
    IF begun.outcome IS NOT NULL THEN
        RETURN QUERY SELECT begun.outcome, begun.revision, begun.answer;
        RETURN;
    ELSIF (SELECT count(*) FROM lists l WHERE l.user_id = p_user) >= p_max THEN
        RETURN QUERY SELECT 'too_many', revision_take(p_user, -1), NULL::text;
        RETURN;
    END IF;
    at := clock_timestamp();
    created := jsonb_populate_record(NULL::lists, p_list);
    created.id := nextval(pg_get_serial_sequence('lists', 'id'));
    created.user_id := p_user;
    created.position := position_of(created.id);
    created.created_at := at;
    created.updated_at := at;
    created.revision := begun.revision;
    INSERT INTO lists OVERRIDING SYSTEM VALUE SELECT created.*;
    body := list_json(created);
    PERFORM list_emit('list.created', created, begun.revision, at, '', p_trace);
    IF p_key IS NOT NULL THEN
        PERFORM keep_answer(p_user, p_request, p_key, p_hash, 201, body, at);
    END IF;
    RETURN QUERY SELECT 'created', begun.revision, body;
END $$;

-- Replaces a list's writable members by those of `p_list`, as for list_create, if it still has the revision
-- that the caller saw. Outcomes: changed; stale, not_found (nothing done); no_user.
CREATE FUNCTION list_change(p_user bigint, p_id bigint, p_expected bigint, p_list jsonb, p_trace text)
RETURNS TABLE (outcome text, revision bigint, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    taken bigint;
    at timestamptz;
    list lists;
    refused text;
BEGIN
    taken := revision_take(p_user, 1);
    IF taken IS NULL THEN
        RETURN QUERY SELECT 'no_user', 0::bigint, NULL::text;
        RETURN;
    END IF;
    SELECT * INTO list FROM lists WHERE id = p_id AND user_id = p_user;
    IF NOT FOUND THEN
        refused := 'not_found';
    ELSIF list.revision <> p_expected THEN
        refused := 'stale';
    END IF;
    IF refused IS NOT NULL THEN
        RETURN QUERY SELECT refused, revision_take(p_user, -1), NULL::text;
        RETURN;
    END IF;
    at := clock_timestamp();
    list := jsonb_populate_record(list, p_list);
    UPDATE lists SET name = list.name, color = list.color, icon = list.icon, archived = list.archived,
                     updated_at = at, revision = taken
    WHERE id = p_id
    RETURNING * INTO list;
    PERFORM list_emit('list.updated', list, taken, at, '', p_trace);
    RETURN QUERY SELECT 'changed', taken, list_json(list);
END $$;

-- Deletes a list; `p_expected` null accepts any revision. `p_tasks`: inbox moves its tasks there; delete
-- deletes them too, with what is beneath them, and ends the series of its pending occurrences. Each of its tasks takes a revision, in the
-- order of their last changes, then the list. Outcomes: deleted; stale, not_found (nothing done); no_user.
CREATE FUNCTION list_delete(p_user bigint, p_id bigint, p_expected bigint, p_tasks text, p_trace text)
RETURNS TABLE (outcome text, revision bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    taken bigint;
    at timestamptz;
    list lists;
    t tasks;
BEGIN
    taken := revision_take(p_user, 0);
    IF taken IS NULL THEN
        RETURN QUERY SELECT 'no_user', 0::bigint;
        RETURN;
    END IF;
    SELECT * INTO list FROM lists WHERE id = p_id AND user_id = p_user;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'not_found', taken;
        RETURN;
    ELSIF list.revision <> p_expected THEN
        RETURN QUERY SELECT 'stale', taken;
        RETURN;
    END IF;
    at := clock_timestamp();
    FOR t IN SELECT * FROM tasks WHERE user_id = p_user AND list_id = p_id ORDER BY revision LOOP
        IF p_tasks = 'delete' THEN
            PERFORM steps_remove(p_user, t.id, at, ',"reason":"deleted","scope":"all"', p_trace);
            -- It may have gone along with a task that it is beneath, or have changed with one that is gone.
            SELECT * INTO t FROM tasks WHERE id = t.id;
            CONTINUE WHEN NOT FOUND;
        END IF;
        taken := revision_take(p_user, 1);
        IF p_tasks = 'delete' THEN
            PERFORM task_remove(t, taken, at, ',"reason":"deleted","scope":"all"', p_trace);
            IF t.series_id IS NOT NULL AND t.status <> 'completed' THEN
                PERFORM series_stop(p_user, t.series_id, t.id, taken, at, t.representation, p_trace);
            END IF;
            IF t.subtask_of IS NOT NULL THEN
                PERFORM steps_count(p_user, t.subtask_of, at, p_trace);
            END IF;
        ELSE
            UPDATE tasks SET list_id = NULL, updated_at = at, revision = taken WHERE id = t.id RETURNING * INTO t;
            PERFORM emit('task.updated', p_user, t.id, taken, at, '', t.representation, p_trace);
        END IF;
    END LOOP;
    taken := revision_take(p_user, 1);
    DELETE FROM lists WHERE id = p_id;
    INSERT INTO deletions (user_id, revision, list_id, deleted_at) VALUES (p_user, taken, p_id, at);
    PERFORM list_emit('list.deleted', list, taken, at, ',"tasks":"' || p_tasks || '"', p_trace);
    RETURN QUERY SELECT 'deleted', taken;
END $$;

GRANT SELECT ON lists TO rondo_task_api, rondo_sync;
GRANT EXECUTE ON FUNCTION list_json TO rondo_task_api, rondo_sync;
GRANT EXECUTE ON FUNCTION instant TO rondo_sync;
GRANT EXECUTE ON FUNCTION list_create, list_change, list_delete TO rondo_task_api;
GRANT EXECUTE ON FUNCTION task_matches(tasks, text, text[], text[], text[], text[], text, text, boolean, bigint, text,
                                       bigint, bigint, boolean) TO rondo_task_api;

RESET ROLE;
