-- Lists of tasks; the list, the position, the estimate, the day and the start of each task.

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
-- The day of a task that is due without a time; due_at is then the last instant of that day in the task's zone.
ALTER TABLE tasks ADD COLUMN due_day date;
-- The first instant at which the task is not deferred, and its day if it starts without a time.
ALTER TABLE tasks ADD COLUMN start_at timestamptz;
ALTER TABLE tasks ADD COLUMN start_day date;
-- The start that the clock has yet to tell; null if there is none. task_represent maintains it.
ALTER TABLE tasks ADD COLUMN starts_at timestamptz;
CREATE INDEX tasks_to_start ON tasks (starts_at) WHERE starts_at IS NOT NULL;
-- The updated_at that the clock gave the task when it told its start, and when somebody had last changed it by then.
ALTER TABLE tasks ADD COLUMN clocked_at timestamptz;
ALTER TABLE tasks ADD COLUMN edited_at timestamptz;
-- The version of the time zone data by which the instants were derived; null: that of release 0.1.0.
ALTER TABLE tasks ADD COLUMN zone_data text;
-- Whether the slots of a series are days.
ALTER TABLE series ADD COLUMN of_days boolean NOT NULL DEFAULT false;
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

-- A new row has its position from its id. The JSON is put together by concat, because Postgres looks up each operator
-- of an expression in each transaction. The text is never null, so what may be missing has to be null in JSON here.
CREATE OR REPLACE FUNCTION task_represent() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.position := coalesce(NEW.position, public.position_of(NEW.id));
    IF NEW.status = 'completed' THEN
        NEW.starts_at := NULL;
    ELSIF TG_OP = 'INSERT' OR NEW.start_at IS DISTINCT FROM OLD.start_at OR OLD.status = 'completed' THEN
        NEW.starts_at := CASE WHEN NEW.start_at > clock_timestamp() THEN NEW.start_at END;
    END IF;
    NEW.representation := concat('{"id":', NEW.id, ',"user_id":', NEW.user_id, ',"uid":', to_json(NEW.uid),
        ',"title":', to_json(NEW.title),
        ',"description":', coalesce(to_json(NEW.description)::text, 'null'),
        ',"status":"', NEW.status, '","priority":', coalesce(to_json(NEW.priority)::text, 'null'),
        ',"tags":', to_json(NEW.tags), ',"list_id":', coalesce(NEW.list_id::text, 'null'),
        ',"position":"', NEW.position,
        '","subtask_of":', coalesce(NEW.subtask_of::text, 'null'),
        ',"subtasks":{"total":', NEW.subtasks_total, ',"completed":', NEW.subtasks_completed,
        '},"blocked_by":[', array_to_string(NEW.blocked_by, ','), ']',
        ',"estimate":', coalesce(NEW.estimate::text, 'null'),
        ',"due_date":',
        coalesce('"' || public.instant(CASE WHEN NEW.due_day IS NULL THEN NEW.due_at END) || '"', 'null'),
        ',"due_day":', coalesce(to_json(NEW.due_day)::text, 'null'),
        ',"start_date":',
        coalesce('"' || public.instant(CASE WHEN NEW.start_day IS NULL THEN NEW.start_at END) || '"', 'null'),
        ',"start_day":', coalesce(to_json(NEW.start_day)::text, 'null'),
        ',"time_zone":', to_json(NEW.time_zone),
        ',"reminder_offset":', coalesce(to_json(NEW.reminder_offset)::text, 'null'),
        ',"recurrence_rule":', coalesce(NEW.recurrence_rule::text, 'null'),
        ',"parent_task_id":', coalesce(NEW.parent_task_id::text, 'null'),
        ',"created_at":"', public.instant(NEW.created_at), '","updated_at":"', public.instant(NEW.updated_at),
        '","completed_at":', coalesce('"' || public.instant(NEW.completed_at) || '"', 'null'),
        ',"revision":', NEW.revision, '}');
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
    -- Release 0.1.0 gives no due_at, and does not know days.
    IF NOT NEW.given ? 'due_at' AND (NEW.given ->> 'due_date' IS NOT NULL OR NEW.due_day IS NULL) THEN
        NEW.due_at := (NEW.given ->> 'due_date')::timestamptz;
        NEW.due_day := NULL;
        NEW.zone_data := NULL;
    END IF;
    NEW.time_zone := coalesce(NEW.time_zone, (SELECT u.time_zone FROM public.users u WHERE u.id = NEW.user_id));
    NEW.completed_at := CASE NEW.given ->> 'completion'
        WHEN 'set' THEN NEW.updated_at WHEN 'keep' THEN NEW.completed_at END;
    NEW.given := NULL;
    RETURN NEW;
END $$;

-- Whether a task passes a list's filters; a null filter passes all. `phrase` is folded like search_text; tags
-- are keys; the list 0 is the inbox; `deferred` is true (with deferred tasks), false or only. Postgres inlines the
-- function into the statements that use it.
CREATE FUNCTION task_matches(t tasks, phrase text, states text[], priorities text[], any_tags text[],
                             all_tags text[], due_from text, due_to text, has_due boolean,
                             parent bigint, changed_since text, list bigint, child_of bigint, blocked boolean,
                             deferred text)
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
    AND (blocked IS NULL OR (t).is_blocked = blocked)
    AND (deferred = 'true'
         OR coalesce((t).start_at <= statement_timestamp(), true) = (deferred = 'false'));

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
-- deletes them too, with what is beneath them, and ends the series of its pending occurrences. Each of its tasks takes
-- a revision, in the order of their last changes, then the list. Outcomes: deleted; stale, not_found (nothing done);
-- no_user.
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
            PERFORM steps_discard(p_user, t.id, false, at, p_trace);
            -- It may have gone along with a task that it is beneath, or have changed with one that is gone.
            SELECT * INTO t FROM tasks WHERE id = t.id;
            CONTINUE WHEN NOT FOUND;
        END IF;
        taken := revision_take(p_user, 1);
        IF p_tasks = 'delete' THEN
            PERFORM task_discard(t, 'all', '[]', taken, at, p_trace);
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
                                       bigint, bigint, boolean, text) TO rondo_task_api;

RESET ROLE;
