-- Series of recurring tasks, and their occurrences.

SET LOCAL ROLE rondo_owner;

-- A rule and its anchor. Every occurrence is calculated from the anchor, never from a clamped or postponed
-- date.
CREATE TABLE series (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT series_pkey PRIMARY KEY,
    user_id bigint NOT NULL,
    first_task_id bigint NOT NULL,
    recurrence_rule jsonb NOT NULL,
    anchor timestamp NOT NULL,
    time_zone text NOT NULL,
    -- Whether it ends after a number of completions, which each successor then has to count.
    counts_completions boolean NOT NULL,
    created_at timestamptz NOT NULL,
    -- When its user ended it: no occurrence gets a successor after that. Null for a series whose rule ended:
    -- that end is a row of occurrences, which reopening withdraws.
    ended_at timestamptz,
    -- The series that this one continues, after an edit of an occurrence and all later ones.
    previous_series_id bigint
);
CREATE INDEX series_by_user ON series (user_id);

-- The state of each slot. A row outlives its task, so that no race, replay or deletion creates a second
-- successor. The end of a series is also a row.
CREATE TABLE occurrences (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT occurrences_pkey PRIMARY KEY,
    series_id bigint NOT NULL,
    user_id bigint NOT NULL,
    -- The task of this occurrence; null for a skipped slot and for the end.
    task_id bigint,
    -- The occurrence that this one follows; null for the first and for skipped slots.
    predecessor_task_id bigint,
    -- Wall-clock time in the series' zone, because instants would coincide across a DST gap.
    slot timestamp,
    -- Whether the slot is unique in its series: yes with basis schedule, no with basis completion.
    scheduled boolean NOT NULL,
    state text NOT NULL CONSTRAINT occurrences_state CHECK (state IN ('live', 'withdrawn', 'skipped', 'ended')),
    -- Revision that created the task. If the task still has it, nobody has changed the task.
    created_revision bigint,
    -- The task as its user deleted it, if only this occurrence was deleted: the series continues from
    -- it.
    deleted_task jsonb,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX occurrences_predecessor_taken ON occurrences (predecessor_task_id);
CREATE UNIQUE INDEX occurrences_slot_taken ON occurrences (series_id, slot) WHERE scheduled AND state <> 'withdrawn';
CREATE INDEX occurrences_by_task ON occurrences (task_id);
-- For counting completions.
CREATE INDEX occurrences_unscheduled ON occurrences (series_id) WHERE NOT scheduled AND state = 'live';

-- Starts a series at a task, which is its first occurrence. `previous` is the series that it continues,
-- if any.
CREATE FUNCTION series_start(t tasks, p_task jsonb, previous bigint, at timestamptz) RETURNS bigint
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

-- Ends a series after an occurrence. The row prevents a successor.
CREATE FUNCTION series_close(p_user bigint, p_series bigint, p_task bigint, p_revision bigint,
                             at timestamptz, task_data text, trace text)
RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO occurrences (series_id, user_id, predecessor_task_id, scheduled, state, created_at)
    VALUES (p_series, p_user, p_task, false, 'ended', at)
    ON CONFLICT (predecessor_task_id) DO UPDATE
    SET state = 'ended', task_id = NULL, slot = NULL, created_revision = NULL
    WHERE occurrences.state = 'withdrawn';
    IF FOUND THEN
        PERFORM emit('series.ended', p_user, p_task, p_revision, at, '', task_data, trace);
        RETURN true;
    END IF;
    RETURN false;
END $$;

-- Ends a series at its user's request, from whichever occurrence. Does so once.
CREATE FUNCTION series_stop(p_user bigint, p_series bigint, p_task bigint, p_revision bigint,
                            at timestamptz, task_data text, trace text)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE series SET ended_at = at WHERE id = p_series AND ended_at IS NULL;
    IF FOUND THEN
        INSERT INTO occurrences (series_id, user_id, scheduled, state, created_at)
        VALUES (p_series, p_user, false, 'ended', at);
        PERFORM emit('series.ended', p_user, p_task, p_revision, at, '', task_data, trace);
    END IF;
END $$;

-- Applies an edit of one occurrence to its series: the rule, and the anchor, moved by as much as the
-- occurrence, so that a count still starts at the same slot. The other open occurrences get the rule; each
-- takes a revision and emits an event.
CREATE FUNCTION series_rewrite(before tasks, changed tasks, p_task jsonb, at timestamptz, trace text)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    other tasks;
    taken bigint;
    moved_to timestamp := (p_task ->> 'anchor')::timestamp;
    is_moved boolean := (before.due_at, before.time_zone) IS DISTINCT FROM (changed.due_at, changed.time_zone);
BEGIN
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

GRANT SELECT ON series, occurrences TO rondo_task_api, rondo_recurrence;

RESET ROLE;
