-- Tasks: the rows, their JSON in responses, and how they are found.

SET LOCAL ROLE rondo_owner;

-- Ascends from low to urgent; null for none.
CREATE FUNCTION priority_rank(priority text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE priority WHEN 'low' THEN 1 WHEN 'medium' THEN 2 WHEN 'high' THEN 3 WHEN 'urgent' THEN 4 END;

-- A UUID of version 7 (RFC 9562, section 5.7): milliseconds since 1970 in the first 48 bits, random bits
-- after them. Setting bits 52 and 53 turns the version digit 4 into 7.
CREATE FUNCTION uuid_v7() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
    FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid;

CREATE TABLE tasks (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT tasks_pkey PRIMARY KEY,
    user_id bigint NOT NULL,
    -- The client's key for the task, or a generated one.
    uid text COLLATE "C" NOT NULL DEFAULT uuid_v7()::text,
    title text NOT NULL,
    description text,
    status text NOT NULL CONSTRAINT tasks_status CHECK (status IN ('pending', 'in_progress', 'completed')),
    priority text CONSTRAINT tasks_priority CHECK (priority IN ('low', 'medium', 'high', 'urgent')),
    tags text[] NOT NULL DEFAULT '{}',
    -- The folded tags, in the same order: tags are compared and filtered by them.
    tag_keys text[] NOT NULL DEFAULT '{}',
    -- Title and description without case and accents, for searching a phrase. Rust folds them, so that
    -- the database's locale does not matter.
    search_text text NOT NULL DEFAULT '',
    -- The beginning of the folded title, which lists sort by.
    title_key text COLLATE "C" NOT NULL DEFAULT '',
    due_at timestamptz,
    time_zone text NOT NULL,
    -- ISO 8601, as the API returns it.
    reminder_offset text,
    -- With all members, as the API returns it.
    recurrence_rule jsonb,
    parent_task_id bigint,
    -- The series that the task is an occurrence of, and its wall-clock slot there.
    series_id bigint,
    slot timestamp,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    completed_at timestamptz,
    revision bigint NOT NULL,
    -- The task as the API returns it, JSON. Stored because lists consist of it; task_represent
    -- maintains it.
    representation text NOT NULL,
    -- A statement hands over a task's members here; task_fill takes them, so a stored row has none.
    given jsonb CONSTRAINT tasks_given_is_taken CHECK (given IS NULL),
    CONSTRAINT tasks_completed_at CHECK ((status = 'completed') = (completed_at IS NOT NULL))
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX tasks_by_uid ON tasks (user_id, uid);
CREATE UNIQUE INDEX tasks_by_revision ON tasks (user_id, revision);
CREATE INDEX tasks_by_created_at ON tasks (user_id, created_at, id);
CREATE INDEX tasks_by_updated_at ON tasks (user_id, updated_at, id);
CREATE INDEX tasks_by_due_at ON tasks (user_id, due_at, id);
CREATE INDEX tasks_by_title ON tasks (user_id, title_key, id);
CREATE INDEX tasks_by_priority ON tasks (user_id, priority_rank(priority), id);

-- Turns a task's object into the row. A member becomes the column of its name. A column without a member
-- stays as it is, and so does uid if the member is null. Members without a column are for the calling
-- function.
CREATE FUNCTION task_fill() RETURNS trigger
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

CREATE TRIGGER tasks_fill BEFORE INSERT OR UPDATE ON tasks
FOR EACH ROW WHEN (NEW.given IS NOT NULL) EXECUTE FUNCTION task_fill();

-- Builds a task's representation. By hand: json_build_object looks up the output function of each argument
-- for each row, and a function's own search path would be set and reset as often.
CREATE FUNCTION task_represent() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.representation := '{"id":' || NEW.id || ',"user_id":' || NEW.user_id || ',"uid":' || to_json(NEW.uid)
        || ',"title":' || to_json(NEW.title)
        || ',"description":' || coalesce(to_json(NEW.description)::text, 'null')
        || ',"status":"' || NEW.status || '","priority":' || coalesce('"' || NEW.priority || '"', 'null')
        || ',"tags":' || to_json(NEW.tags) || ',"due_date":' || coalesce('"' || public.instant(NEW.due_at) || '"', 'null')
        || ',"time_zone":' || to_json(NEW.time_zone)
        || ',"reminder_offset":' || coalesce(to_json(NEW.reminder_offset)::text, 'null')
        || ',"recurrence_rule":' || coalesce(NEW.recurrence_rule::text, 'null')
        || ',"parent_task_id":' || coalesce(NEW.parent_task_id::text, 'null')
        || ',"created_at":"' || public.instant(NEW.created_at) || '","updated_at":"' || public.instant(NEW.updated_at)
        || '","completed_at":' || coalesce('"' || public.instant(NEW.completed_at) || '"', 'null')
        || ',"revision":' || NEW.revision || '}';
    RETURN NEW;
END $$;

-- Triggers fire in the order of their names: this one after tasks_fill.
CREATE TRIGGER tasks_represent BEFORE INSERT OR UPDATE ON tasks
FOR EACH ROW EXECUTE FUNCTION task_represent();

-- The row of a new task, copied from another except for what identifies it.
CREATE FUNCTION task_like(t tasks) RETURNS tasks
LANGUAGE plpgsql AS $$
BEGIN
    t.id := nextval(pg_get_serial_sequence('public.tasks', 'id'));
    t.uid := public.uuid_v7();
    RETURN t;
END $$;

-- Whether a task passes a list's filters; a null filter passes all. `phrase` is folded like search_text; tags
-- are keys. Postgres inlines the function into the statements that use it.
CREATE FUNCTION task_matches(t tasks, phrase text, states text[], priorities text[], any_tags text[],
                             all_tags text[], due_from text, due_to text, has_due boolean,
                             parent bigint, changed_since text)
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
    AND (changed_since IS NULL OR (t).updated_at >= changed_since::timestamptz);

-- Candidates for a phrase: keys of the pieces of a task's search_text. A key contains the user's id,
-- so a search reads only its user's entries. The table is separate because most changes leave the text
-- alone and would rewrite all keys.
CREATE TABLE task_search (
    task_id bigint NOT NULL CONSTRAINT task_search_pkey PRIMARY KEY,
    keys bigint[] NOT NULL
);
-- fastupdate is off, because every search would scan the pending list with all users' entries.
CREATE INDEX task_search_by_key ON task_search USING gin (keys) WITH (fastupdate = off);

-- Key of a piece of text among a user's tasks; a piece has 23 bits.
CREATE FUNCTION search_key(user_id bigint, piece bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN user_id << 23 | piece;

-- Stores a task's search keys; text too short for a piece has none.
CREATE FUNCTION task_search_set(t tasks, pieces jsonb) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO task_search (task_id, keys)
    SELECT (t).id, ARRAY(SELECT search_key((t).user_id, piece::bigint) FROM jsonb_array_elements_text(pieces) AS x (piece))
    ON CONFLICT ON CONSTRAINT task_search_pkey DO UPDATE SET keys = excluded.keys
$$;

GRANT SELECT ON tasks TO rondo_task_api, rondo_recurrence, rondo_notify, rondo_bridge, rondo_sync;
GRANT SELECT ON task_search TO rondo_task_api;
GRANT EXECUTE ON FUNCTION priority_rank, task_matches, search_key TO rondo_task_api;

RESET ROLE;
