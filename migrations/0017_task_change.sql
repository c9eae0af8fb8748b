-- Creating, changing, skipping and deleting tasks. Each function begins with write_begin or revision_take,
-- and gives its revision back if it changes nothing.
--
-- `p_task` is an object of the task's writable members, validated, and of values derived from them:
--   uid: null for a generated one;
--   title, description, status, priority, tags, due_date, reminder_offset, recurrence_rule;
--   time_zone: null on creation for the user's own;
--   completion: the effect on completed_at: keep, set or clear;
--   tag_keys, search_text, search_pieces, title_key: keys for finding and sorting the task;
--   remind_at: when the task's own reminder is due, or null;
--   further: for each offset of its further reminders, when that reminder is due;
--   anchor: local date and time at which a series of the task starts, and
--   counts_completions: whether that series ends after so many completions; both with a rule alone.

SET LOCAL ROLE rondo_owner;

-- Tombstones: the deletions that a returning device has to apply.
CREATE TABLE deletions (
    user_id bigint NOT NULL,
    revision bigint NOT NULL,
    task_id bigint NOT NULL,
    deleted_at timestamptz NOT NULL,
    CONSTRAINT deletions_pkey PRIMARY KEY (user_id, revision)
);
CREATE INDEX deletions_by_time ON deletions (deleted_at);

-- The highest revision whose tombstone is gone: an older cursor cannot continue.
CREATE TABLE deletion_horizons (
    user_id bigint NOT NULL CONSTRAINT deletion_horizons_pkey PRIMARY KEY,
    revision bigint NOT NULL
);

-- Deletes old tombstones of one user per call, because many users in one transaction would take many locks.
-- The horizon stops older cursors from continuing with a gap.
CREATE FUNCTION deletions_retain(p_days integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    before timestamptz := clock_timestamp() - p_days * interval '1 day';
    whose bigint;
    horizon bigint;
    removed bigint;
BEGIN
    SELECT d.user_id INTO whose FROM deletions d WHERE d.deleted_at < before ORDER BY d.deleted_at LIMIT 1;
    IF whose IS NULL THEN
        RETURN 0;
    END IF;
    WITH gone AS (DELETE FROM deletions d WHERE d.user_id = whose AND d.deleted_at < before RETURNING d.revision)
    SELECT max(revision), count(*) INTO horizon, removed FROM gone;
    INSERT INTO deletion_horizons (user_id, revision) VALUES (whose, horizon)
    ON CONFLICT ON CONSTRAINT deletion_horizons_pkey DO UPDATE
    SET revision = greatest(deletion_horizons.revision, excluded.revision);
    RETURN removed;
END $$;

-- Creates a task. Outcomes: created, replayed, key_reused, no_user; uid_taken by another task. `answer` is
-- the task, or the other one.
CREATE FUNCTION task_create(p_user bigint, p_task jsonb, p_request text, p_key text, p_hash text,
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
    body text;
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
    at := clock_timestamp();
    INSERT INTO tasks (user_id, given, created_at, updated_at, revision)
    VALUES (p_user, p_task, at, at, taken)
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
    IF p_key IS NOT NULL THEN
        PERFORM keep_answer(p_user, p_request, p_key, p_hash, 201, body, at);
    END IF;
    RETURN QUERY SELECT 'created', taken, body;
END $$;

-- Removes a task's row, and leaves a tombstone and an event. The caller has taken the revision.
CREATE FUNCTION task_remove(t tasks, taken bigint, at timestamptz, members text, trace text)
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
END $$;

-- Withdraws the successor of a reopened task if nobody has changed it. Withdraws an end too, so that
-- completing the task again ends the series again.
CREATE FUNCTION successor_withdraw(p_user bigint, p_task bigint, at timestamptz, trace text)
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
        IF FOUND THEN
            taken := revision_take(p_user, 1);
            UPDATE occurrences SET state = 'withdrawn' WHERE id = successor.id;
            PERFORM task_remove(untouched, taken, at, ',"reason":"withdrawn"', trace);
        END IF;
    END IF;
END $$;

-- Replaces a task's writable members by those of `p_task`, if the task still has the revision that the
-- caller's rules were applied to. `p_event` is the one event of the change: task.updated, task.completed,
-- task.reopened. Without it nothing changes, but the answer is kept for the idempotency key. `p_series`:
-- keep; start a series at this task, instead of its current one; leave its series, which ends; rewrite its
-- series (series_rewrite). Outcomes: changed; unchanged; stale, not_found (nothing done); replayed,
-- key_reused; no_user.
CREATE FUNCTION task_change(p_user bigint, p_id bigint, p_expected bigint, p_event text, p_task jsonb,
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
    UPDATE tasks SET
        given = p_task,
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
    IF p_key IS NOT NULL THEN
        PERFORM keep_answer(p_user, p_request, p_key, p_hash, 200, body, at);
    END IF;
    RETURN QUERY SELECT 'changed', taken, body;
END $$;

-- Deletes a task; `p_expected` null accepts any revision. `p_scope` (this, future, all) applies to a pending
-- occurrence: with `this` the series continues, otherwise it ends. Outcomes: deleted; stale, not_found
-- (nothing done); no_user.
CREATE FUNCTION task_delete(p_user bigint, p_id bigint, p_expected bigint, p_scope text, p_trace text)
RETURNS TABLE (outcome text, revision bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    taken bigint;
    at timestamptz;
    before tasks;
    refused text;
    search_keys bigint[];
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
    PERFORM task_remove(before, taken, at, ',"reason":"deleted","scope":"' || p_scope || '"', p_trace);
    IF before.series_id IS NOT NULL AND before.status <> 'completed' THEN
        IF p_scope = 'this' THEN
            UPDATE occurrences SET deleted_task = to_jsonb(before)
                || jsonb_build_object('search_keys', search_keys)
            WHERE task_id = p_id AND series_id = before.series_id;
        ELSE
            PERFORM series_stop(p_user, before.series_id, p_id, taken, at, before.representation, p_trace);
        END IF;
    END IF;
    RETURN QUERY SELECT 'deleted', taken;
END $$;

-- Moves a pending occurrence to a later slot of its series. Its slot and those between (`p_skipped`)
-- are recorded as skipped. `p_next`: slot, due_date, remind_at and further, as in `p_task`. Outcomes:
-- skipped; stale (also when the slot is taken), not_found; replayed, key_reused; no_user.
CREATE FUNCTION task_skip(p_user bigint, p_id bigint, p_expected bigint, p_next jsonb, p_skipped jsonb,
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

GRANT SELECT ON deletions, deletion_horizons TO rondo_task_api, rondo_sync;
GRANT EXECUTE ON FUNCTION task_create, task_change, task_delete, task_skip TO rondo_task_api;
GRANT EXECUTE ON FUNCTION deletions_retain TO rondo_bridge;

RESET ROLE;
