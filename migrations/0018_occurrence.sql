-- The effects of completing an occurrence: its successor, or the end of its series.

SET LOCAL ROLE rondo_owner;

-- Creates the successor of a completed occurrence, or of a pending one that was deleted alone, as a pending
-- task. `p_next`: the successor and, if all past slots are caught up, those after it, as objects of slot, due
-- and remind_at (or null); each is the predecessor of the next. `p_skipped`: skipped slots. `p_series`: the
-- series that the slots were calculated for. Outcomes: created; exists (another delivery came first, or the
-- series has ended); stale (the predecessor is no longer completed or is in another series, or the slot is
-- taken).
CREATE FUNCTION occurrence_create(p_user bigint, p_predecessor bigint, p_series bigint, p_next jsonb,
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
    INSERT INTO occurrences (series_id, user_id, slot, scheduled, state, created_at)
    SELECT rule.id, p_user, passed::timestamp, true, 'skipped', at
    FROM jsonb_array_elements_text(p_skipped) AS x (passed)
    ON CONFLICT DO NOTHING;
    RETURN QUERY SELECT 'created', made;
END $$;

-- Ends the series of a completed occurrence that has no successor.
-- Outcomes: ended; exists; stale.
CREATE FUNCTION series_end(p_user bigint, p_predecessor bigint, p_series bigint, p_trace text)
RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    predecessor tasks;
    deleted boolean := false;
BEGIN
    -- Changes no task and so takes no revision.
    PERFORM revision_take(p_user, 0);
    SELECT * INTO predecessor FROM tasks WHERE id = p_predecessor AND user_id = p_user;
    IF NOT FOUND THEN
        SELECT (jsonb_populate_record(NULL::tasks, o.deleted_task)).* INTO predecessor
        FROM occurrences o WHERE o.task_id = p_predecessor AND o.user_id = p_user AND o.deleted_task IS NOT NULL;
        deleted := FOUND;
        IF NOT deleted THEN
            RETURN QUERY SELECT 'stale';
            RETURN;
        END IF;
    END IF;
    IF (NOT deleted AND predecessor.status <> 'completed')
       OR predecessor.series_id IS DISTINCT FROM p_series THEN
        RETURN QUERY SELECT 'stale';
    ELSIF EXISTS (SELECT FROM series s WHERE s.id = p_series AND s.ended_at IS NOT NULL) THEN
        RETURN QUERY SELECT 'exists';
    ELSIF series_close(p_user, predecessor.series_id, p_predecessor, predecessor.revision,
                       clock_timestamp(), predecessor.representation, p_trace) THEN
        RETURN QUERY SELECT 'ended';
    ELSE
        RETURN QUERY SELECT 'exists';
    END IF;
END $$;

GRANT EXECUTE ON FUNCTION occurrence_create, series_end TO rondo_recurrence;

RESET ROLE;
