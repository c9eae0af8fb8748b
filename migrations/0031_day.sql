-- The time of day that reminders of a day count from; tasks that start.

SET LOCAL ROLE rondo_owner;

ALTER TABLE users ADD COLUMN day_reminder_time time NOT NULL DEFAULT '09:00';
-- Whether the reminders of the user's days still count from an earlier time.
ALTER TABLE users ADD COLUMN day_reminders_differ boolean NOT NULL DEFAULT false;
CREATE INDEX users_with_other_day_reminders ON users (id) WHERE day_reminders_differ;

-- When somebody last changed a task. The clock that has told its start is nobody.
CREATE FUNCTION task_edited_at(t tasks) RETURNS timestamptz
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN (t).updated_at = (t).clocked_at THEN (t).edited_at ELSE (t).updated_at END;

-- Tells once that a task is no longer deferred. Nobody has edited it: a successor that has started can still be
-- withdrawn, and changes before the start can be undone. Outcomes: started; stale (another clock was first, or the task
-- starts at another time now).
CREATE FUNCTION task_start(p_user bigint, p_id bigint, p_trace text)
RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    taken bigint;
    at timestamptz;
    before tasks;
    started tasks;
BEGIN
    taken := revision_take(p_user, 1);
    at := clock_timestamp();
    SELECT * INTO before FROM tasks t WHERE t.id = p_id AND t.user_id = p_user AND t.starts_at <= at;
    IF NOT FOUND THEN
        PERFORM revision_take(p_user, -1);
        RETURN QUERY SELECT 'stale';
        RETURN;
    END IF;
    UPDATE tasks SET starts_at = NULL, clocked_at = at, edited_at = task_edited_at(before), updated_at = at,
                     revision = taken
    WHERE id = p_id RETURNING * INTO started;
    UPDATE occurrences SET created_revision = taken WHERE task_id = p_id AND created_revision = before.revision;
    PERFORM emit('task.started', p_user, p_id, taken, at, '', started.representation, p_trace);
    RETURN QUERY SELECT 'started';
END $$;

-- The rules of all time zones in each version of the data that this database has been used with, in the format of RFC
-- 9636.
CREATE TABLE zone_rules (
    version text NOT NULL,
    zone text NOT NULL,
    rules bytea NOT NULL,
    CONSTRAINT zone_rules_pkey PRIMARY KEY (version, zone)
);

-- Records the rules of a version.
CREATE FUNCTION zone_rules_record(p_version text, p_zones text[], p_rules bytea[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO zone_rules (version, zone, rules)
    SELECT p_version, x.zone, x.rules FROM unnest(p_zones, p_rules) AS x (zone, rules)
    ON CONFLICT ON CONSTRAINT zone_rules_pkey DO NOTHING
$$;

-- Stores instants of a task and its reminders that were derived anew, by newer time zone data or by another time of
-- day, if the task still has the revision that they were derived from. `p_moments`: due_at, start_at, remind_at,
-- further and zone_data, as in `p_task`. Nobody has edited the task: a successor can still be withdrawn. Outcomes:
-- moved (an instant of the task differs: it takes a revision); aligned (at most its reminders differ); stale (nothing
-- done).
CREATE FUNCTION task_derive(p_user bigint, p_id bigint, p_expected bigint, p_moments jsonb, p_trace text)
RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    taken bigint;
    at timestamptz;
    before tasks;
    changed tasks;
    due timestamptz := (p_moments ->> 'due_at')::timestamptz;
    start timestamptz := (p_moments ->> 'start_at')::timestamptz;
BEGIN
    taken := revision_take(p_user, 1);
    at := clock_timestamp();
    SELECT * INTO before FROM tasks t WHERE t.id = p_id AND t.user_id = p_user AND t.revision = p_expected;
    IF NOT FOUND OR EXISTS (SELECT FROM reminders r WHERE r.task_id = p_id AND r.before_due IS NOT NULL
                            AND NOT p_moments -> 'further' ? r.before_due) THEN
        PERFORM revision_take(p_user, -1);
        RETURN QUERY SELECT 'stale';
        RETURN;
    END IF;
    IF (before.due_at, before.start_at) IS DISTINCT FROM (due, start) THEN
        UPDATE tasks SET due_at = due, start_at = start, zone_data = p_moments ->> 'zone_data', updated_at = at,
                         revision = taken
        WHERE id = p_id RETURNING * INTO changed;
        UPDATE occurrences SET created_revision = taken WHERE task_id = p_id AND created_revision = before.revision;
        PERFORM emit('task.updated', p_user, p_id, taken, at, ',"reason":"zone_data"', changed.representation, p_trace);
        RETURN QUERY SELECT 'moved';
    ELSE
        PERFORM revision_take(p_user, -1);
        UPDATE tasks SET zone_data = p_moments ->> 'zone_data' WHERE id = p_id RETURNING * INTO changed;
        RETURN QUERY SELECT 'aligned';
    END IF;
    PERFORM reminders_align(changed, p_moments, at, changed.representation, p_trace);
END $$;

-- Notes that the reminders of a user's days count from this time, unless it has changed meanwhile.
CREATE FUNCTION day_reminders_settle(p_user bigint, p_time time) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE users SET day_reminders_differ = false WHERE id = p_user AND day_reminder_time = p_time
$$;

GRANT SELECT ON zone_rules TO rondo_bridge;
GRANT SELECT (day_reminders_differ) ON users TO rondo_bridge;
GRANT EXECUTE ON FUNCTION task_start, zone_rules_record, task_derive, day_reminders_settle TO rondo_bridge;
GRANT SELECT (day_reminder_time) ON users TO rondo_task_api, rondo_recurrence, rondo_bridge;

RESET ROLE;
