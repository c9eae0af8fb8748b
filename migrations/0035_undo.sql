-- Undo: what changes of tasks were before, for as long as they can be taken back.

SET LOCAL ROLE rondo_owner;

-- One step of a change: what it did to one task. The creation of a task leaves none, because there was nothing
-- before it.
CREATE TABLE undo_steps (
    user_id bigint NOT NULL,
    -- The revision by which the change's token names it; 0 before it is known.
    change bigint NOT NULL,
    -- Of the step.
    revision bigint NOT NULL,
    task_id bigint NOT NULL,
    -- The task before the step, by task_snapshot. Null if there was none, or if the step put it into the trash, which
    -- then has it. Also: `series`, the row of its series if the step may change it; `successor`, the id of the
    -- occurrence that follows it, if the step starts another series; `skipped`, the skipped slots that go with its own.
    before jsonb,
    -- Whether the step removed the task.
    removed boolean NOT NULL,
    -- If the step put back a removed task, how that had been removed: as a deletion of this scope, or withdrawn.
    removal text CONSTRAINT undo_steps_removal CHECK (removal IN ('this', 'all', 'withdrawn')),
    -- For a change of a tag: the `keys` of the tags that have the changed colours, and their rows `before` and `after`.
    tags jsonb,
    changed_at timestamptz NOT NULL,
    CONSTRAINT undo_steps_pkey PRIMARY KEY (user_id, change, revision)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE INDEX undo_steps_by_time ON undo_steps (changed_at);

-- Keeps what a task was before a change, right after its row was updated. `may_change_series`: whether the change may
-- start, leave or rewrite a series.
CREATE FUNCTION undo_keep(before tasks, after tasks, may_change_series boolean) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    snapshot jsonb := task_snapshot(before, before.search_text <> after.search_text);
BEGIN
    IF may_change_series THEN
        snapshot := snapshot || jsonb_build_object(
            'series', (SELECT to_jsonb(s) FROM series s WHERE s.id = before.series_id),
            'successor', (SELECT o.id FROM occurrences o WHERE o.predecessor_task_id = before.id));
    END IF;
    INSERT INTO undo_steps (user_id, change, revision, task_id, before, removed, changed_at)
    VALUES (before.user_id, after.revision, after.revision, before.id, snapshot, false, after.updated_at);
END $$;

-- Keeps that a change put a task into the trash.
CREATE FUNCTION undo_keep_discarded(t tasks, first bigint, taken bigint, at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO undo_steps (user_id, change, revision, task_id, removed, changed_at)
    VALUES (t.user_id, first, taken, t.id, true, at);
END $$;

-- Names a change by the revision of its last step. Its first steps were kept before that was known.
CREATE FUNCTION undo_name(p_user bigint, taken bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE undo_steps u SET change = taken WHERE u.user_id = p_user AND u.change = 0;
END $$;

-- Gives the steps of a change the revisions that their tasks have at its end: what follows from one step can change the
-- task of another one again.
CREATE FUNCTION undo_catch_up(p_user bigint, p_change bigint, at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE undo_steps u SET revision = x.revision
    FROM tasks x
    WHERE u.user_id = p_user AND u.change = p_change AND NOT u.removed AND x.id = u.task_id
      AND x.user_id = p_user AND x.updated_at = at AND x.revision <> u.revision;
END $$;

-- Keeps that a change puts back a task that had been removed, right before it does. `is_withdrawn`: whether the task
-- had been withdrawn.
CREATE FUNCTION undo_keep_revived(p_user bigint, p_task bigint, first bigint, taken bigint, is_withdrawn boolean,
                                  at timestamptz)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO undo_steps (user_id, change, revision, task_id, removed, removal, changed_at)
    SELECT p_user, first, taken, p_task, false,
           CASE WHEN is_withdrawn THEN 'withdrawn'
                WHEN EXISTS (SELECT FROM occurrences o WHERE o.task_id = p_task AND o.deleted_task IS NOT NULL) THEN 'this'
                ELSE 'all' END, at;
END $$;

-- The other tasks that a change may change too, as they are before it: the open occurrences of a rewritten series, or
-- the successor of a reopened task. Null if there are none.
CREATE FUNCTION undo_others(before tasks, p_event text, p_series text) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_series = 'rewrite' THEN
        RETURN (SELECT jsonb_agg(task_snapshot(t, false)) FROM tasks t
                WHERE t.user_id = before.user_id AND t.series_id = before.series_id AND t.id <> before.id
                  AND t.status <> 'completed');
    ELSIF p_event = 'task.reopened' THEN
        RETURN (SELECT jsonb_agg(task_snapshot(t, true))
                FROM occurrences o
                CROSS JOIN LATERAL (SELECT o.task_id AS id UNION ALL
                                    SELECT s.id FROM steps_beneath(before.user_id, o.task_id) s) AS x
                JOIN tasks t ON t.id = x.id
                WHERE o.predecessor_task_id = before.id AND o.state = 'live' AND t.user_id = before.user_id);
    END IF;
    RETURN NULL;
END $$;

-- Keeps those of them that the change has changed or removed.
CREATE FUNCTION undo_keep_others(p_user bigint, taken bigint, at timestamptz, others jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO undo_steps (user_id, change, revision, task_id, before, removed, changed_at)
    SELECT p_user, taken, coalesce(t.revision, d.revision), other.id, other.before, t.id IS NULL, at
    FROM (SELECT (x.before ->> 'id')::bigint AS id, x.before FROM jsonb_array_elements(others) AS x (before)) AS other
    LEFT JOIN tasks t ON t.id = other.id
    LEFT JOIN deletions d ON d.user_id = p_user AND d.revision > taken AND d.task_id = other.id
    WHERE coalesce(t.revision, d.revision) > taken;
END $$;

-- Deletes what can no longer be undone after p_minutes.
CREATE FUNCTION undo_retain(p_minutes integer, p_limit integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM undo_steps u
        USING (SELECT user_id, change, revision FROM undo_steps
               WHERE changed_at < clock_timestamp() - p_minutes * interval '1 minute'
               ORDER BY changed_at LIMIT p_limit) AS old
        WHERE (u.user_id, u.change, u.revision) = (old.user_id, old.change, old.revision)
        RETURNING 1)
    SELECT count(*) FROM gone
$$;

GRANT EXECUTE ON FUNCTION undo_retain TO rondo_bridge;

RESET ROLE;
