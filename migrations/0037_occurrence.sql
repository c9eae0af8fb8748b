-- Series and their occurrences, with the members that this release adds. What 0016_series.sql and 0018_occurrence.sql
-- say applies here, too.

SET LOCAL ROLE rondo_owner;

-- Starts a series at a task, which is its first occurrence. `previous` is the series that it continues,
-- if any.
CREATE OR REPLACE FUNCTION series_start(t tasks, p_task jsonb, previous bigint, at timestamptz) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    anchor timestamp := (p_task ->> 'anchor')::timestamp;
    started bigint;
BEGIN
    INSERT INTO series (user_id, first_task_id, recurrence_rule, anchor, of_days, time_zone, counts_completions,
                        created_at, previous_series_id)
    VALUES (t.user_id, t.id, t.recurrence_rule, anchor, coalesce((p_task ->> 'of_days')::boolean, false), t.time_zone,
            (p_task ->> 'counts_completions')::boolean, at, previous)
    RETURNING id INTO started;
    INSERT INTO occurrences (series_id, user_id, task_id, slot, scheduled, state, created_revision, created_at)
    VALUES (started, t.user_id, t.id, anchor, t.recurrence_rule ->> 'basis' = 'schedule', 'live',
            t.revision, at);
    UPDATE tasks SET series_id = started, slot = anchor WHERE id = t.id;
    RETURN started;
END $$;

-- Applies an edit of one occurrence to its series: the rule, and the anchor, moved by as much as the
-- occurrence, so that a count still starts at the same slot. The other open occurrences get the rule; each
-- takes a revision and emits an event.
CREATE OR REPLACE FUNCTION series_rewrite(before tasks, changed tasks, p_task jsonb, at timestamptz, trace text)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    other tasks;
    taken bigint;
    moved_to timestamp := (p_task ->> 'anchor')::timestamp;
    is_moved boolean := (before.due_at, before.time_zone) IS DISTINCT FROM (changed.due_at, changed.time_zone);
BEGIN
    -- A series of days keeps days as its slots, also if this occurrence has a time.
    IF (SELECT s.of_days FROM series s WHERE s.id = before.series_id) THEN
        moved_to := date_trunc('day', moved_to);
    END IF;
    UPDATE series s
    SET recurrence_rule = changed.recurrence_rule, time_zone = changed.time_zone,
        counts_completions = (p_task ->> 'counts_completions')::boolean,
        anchor = CASE WHEN is_moved THEN s.anchor + (moved_to - before.slot) ELSE s.anchor END
    WHERE s.id = before.series_id;
    -- Another occurrence keeps its slot.
    IF is_moved AND NOT EXISTS (SELECT FROM occurrences o WHERE o.series_id = before.series_id AND o.slot = moved_to
                                AND o.scheduled AND o.state <> 'withdrawn') THEN
        UPDATE occurrences o SET slot = moved_to
        WHERE o.task_id = changed.id AND o.series_id = before.series_id AND o.state = 'live';
        UPDATE tasks SET slot = moved_to WHERE id = changed.id;
    END IF;
    FOR other IN SELECT * FROM tasks t WHERE t.user_id = changed.user_id AND t.series_id = before.series_id
                 AND t.id <> changed.id AND t.status <> 'completed'
                 AND t.recurrence_rule <> changed.recurrence_rule ORDER BY t.id LOOP
        taken := revision_take(changed.user_id, 1);
        UPDATE tasks t SET
            recurrence_rule = changed.recurrence_rule, updated_at = at, revision = taken
        WHERE t.id = other.id
        RETURNING * INTO other;
        PERFORM emit('task.updated', other.user_id, other.id, taken, at, '', other.representation, trace);
    END LOOP;
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

-- Creates the successor of a completed occurrence, or of a pending one that was deleted alone, as a pending
-- task, with what was beneath the predecessor. `p_next`: the successor and, if all past slots are caught up, those
-- after it, as objects of slot, due_at, due_day, start_at, start_day (release 0.1.0: due in place of the four),
-- remind_at, zone_data, steps (as steps_renew takes them, with the revisions that they were planned for), levels_max
-- and subtasks_max; each is the predecessor of the next. `p_skipped`: skipped slots. `p_series`: the series that the
-- slots were calculated for. Outcomes: created; exists (another delivery came first, or the series has ended); stale
-- (the predecessor is no longer completed or is in another series, what is beneath it has changed, or the slot is
-- taken).
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
        created.due_at := coalesce(next ->> 'due_at', next ->> 'due')::timestamptz;
        created.due_day := (next ->> 'due_day')::date;
        created.zone_data := next ->> 'zone_data';
        IF next ? 'start_at' THEN
            created.start_at := (next ->> 'start_at')::timestamptz;
            created.start_day := (next ->> 'start_day')::date;
        END IF;
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

RESET ROLE;
