-- Changing tasks. Every function here begins with UPDATE user_revisions, which waits for the user's
-- other writers, and gives the revision back when nothing changes.
--
-- `task` parameters are objects of the writable members as they are stored, already validated:
-- title, description, status, priority, tags, due_date, time_zone (null on creation: the user's),
-- reminder_offset, recurrence_rule, and what is derived from them: tag_keys, search_text, search_pieces and title_key
-- (without them a task is neither found by its text nor in its place in a list by title),
-- remind_at (when the task's own reminder is due), further (the same for each offset of its further
-- reminders) and anchor (local date and time at which a series starts).

SET LOCAL ROLE rondo_owner;

-- RFC 3339 in UTC, fractions only where there are any. JSON has one form of a timestamp, whatever
-- DateStyle says, and costs less than to_char.
CREATE FUNCTION instant(at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN btrim(to_json(at AT TIME ZONE 'UTC')::text, '"') || 'Z';

-- Puts a task's representation together. By hand: json_build_object looks up how to write each of its
-- arguments for each row, and a search path of its own would be set and reset as often.
CREATE FUNCTION task_represent() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.representation := '{"id":' || NEW.id || ',"user_id":' || NEW.user_id || ',"title":' || to_json(NEW.title)
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

-- Before each row, so that no statement can forget it.
CREATE TRIGGER tasks_represent BEFORE INSERT OR UPDATE ON tasks
FOR EACH ROW EXECUTE FUNCTION task_represent();

-- Whether a task passes a list's filters, each null for whatever. `phrase` is folded as search_text
-- is, tags are keys. Inlined into the statements that use it.
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

-- Key of a piece of text in a user's tasks: the piece has 23 bits.
CREATE FUNCTION search_key(user_id bigint, piece bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN user_id << 23 | piece;

-- Takes down what a task is found by; a text too short for a piece has none.
CREATE FUNCTION task_search_set(t tasks, pieces jsonb) RETURNS void
LANGUAGE sql SET search_path = public, pg_temp AS $$
    INSERT INTO task_search (task_id, keys)
    SELECT (t).id, ARRAY(SELECT search_key((t).user_id, piece::bigint) FROM jsonb_array_elements_text(pieces) AS x (piece))
    ON CONFLICT ON CONSTRAINT task_search_pkey DO UPDATE SET keys = excluded.keys
$$;

-- Puts an event about a task into the outbox. `members` is JSON text of further members, each with
-- a comma before it.
CREATE FUNCTION emit(event_type text, user_id bigint, task_id bigint, revision bigint,
                     at timestamptz, members text, task_data text, traceparent text)
RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    event_id uuid := gen_random_uuid();
BEGIN
    INSERT INTO outbox (event_id, event_type, user_id, task_id, occurred_at, traceparent, payload)
    VALUES (event_id, emit.event_type, emit.user_id, emit.task_id, at, emit.traceparent,
            '{"event_id":"' || event_id || '","schema_version":"1.0","event_type":"' || emit.event_type
            || '","timestamp":"' || instant(at) || '","task_id":' || emit.task_id || ',"user_id":'
            || emit.user_id || ',"revision":' || emit.revision || members || ',"task_data":'
            || task_data || '}');
END $$;

-- Members of reminder events beside those of every event.
CREATE FUNCTION reminder_members(reminder_id bigint, remind_at timestamptz, due_at timestamptz)
RETURNS text
LANGUAGE sql STABLE
RETURN ',"reminder_id":' || reminder_id || ',"remind_at":"' || instant(remind_at) || '","due_date":'
    || coalesce('"' || instant(due_at) || '"', 'null');

-- Brings one reminder of a task in line with the task: armed at the moment that is planned for it,
-- or cancelled when there is none. What has fired for this very moment stays fired, what was snoozed
-- stays snoozed until the plan changes. `current` is null for a task without a reminder of its own.
CREATE FUNCTION reminder_align(t tasks, current reminders, planned timestamptz, at timestamptz,
                               task_data text, trace text)
RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    moved boolean := current.planned_at IS DISTINCT FROM planned;
    wanted timestamptz := CASE WHEN moved THEN planned ELSE current.remind_at END;
BEGIN
    -- Past its moment and past the due date there is nothing left to be reminded of.
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

-- Brings all reminders of a task in line with it.
CREATE FUNCTION reminders_align(t tasks, p_task jsonb, at timestamptz, task_data text, trace text)
RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
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

-- Starts a series at a task: its rule, its anchor and its first occurrence; `previous` is the series
-- that it goes on from, if any.
CREATE FUNCTION series_start(t tasks, anchor timestamp, previous bigint, at timestamptz) RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    started bigint;
BEGIN
    INSERT INTO series (user_id, first_task_id, recurrence_rule, anchor, time_zone, created_at, previous_series_id)
    VALUES (t.user_id, t.id, t.recurrence_rule, anchor, t.time_zone, at, previous)
    RETURNING id INTO started;
    INSERT INTO occurrences (series_id, user_id, task_id, slot, scheduled, state, created_revision, created_at)
    VALUES (started, t.user_id, t.id, anchor, t.recurrence_rule ->> 'basis' = 'schedule', 'live',
            t.revision, at);
    UPDATE tasks SET series_id = started, slot = anchor WHERE id = t.id;
    RETURN started;
END $$;

-- A kept answer for an idempotency key, looked up under the user's lock: a second request with the
-- key has waited for the first. None when there is no key or no kept answer.
CREATE FUNCTION kept_answer(p_user bigint, p_request text, p_key text, p_hash text)
RETURNS TABLE (outcome text, answer text)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT CASE WHEN body_hash = p_hash THEN 'replayed' ELSE 'key_reused' END, k.answer
    FROM idempotency_keys k
    WHERE k.user_id = p_user AND k.request = p_request AND k.key = p_key
      AND k.created_at > now() - interval '24 hours'
$$;

CREATE FUNCTION keep_answer(p_user bigint, p_request text, p_key text, p_hash text, p_status integer,
                            p_answer text, at timestamptz)
RETURNS void
LANGUAGE sql SET search_path = public, pg_temp AS $$
    INSERT INTO idempotency_keys (user_id, request, key, body_hash, status, answer, created_at)
    VALUES (p_user, p_request, p_key, p_hash, p_status, p_answer, at)
    ON CONFLICT (user_id, request, key) DO UPDATE
    SET body_hash = excluded.body_hash, status = excluded.status, answer = excluded.answer,
        created_at = excluded.created_at
$$;

-- Creates a task. Outcomes: created; replayed and key_reused (see kept_answer); no_user.
-- `answer` is the task.
CREATE FUNCTION task_create(p_user bigint, p_task jsonb, p_request text, p_key text, p_hash text,
                            p_trace text)
RETURNS TABLE (outcome text, revision bigint, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    taken bigint;
    at timestamptz;
    created tasks;
    wanted timestamptz := (p_task ->> 'remind_at')::timestamptz;
    body text;
BEGIN
    UPDATE user_revisions SET revision = revision + 1 WHERE user_id = p_user RETURNING revision INTO taken;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'no_user', 0::bigint, NULL::text;
        RETURN;
    END IF;
    IF p_key IS NOT NULL THEN
        RETURN QUERY SELECT k.outcome, taken - 1, k.answer FROM kept_answer(p_user, p_request, p_key, p_hash) k;
        IF FOUND THEN
            UPDATE user_revisions SET revision = taken - 1 WHERE user_id = p_user;
            RETURN;
        END IF;
    END IF;
    at := clock_timestamp();
    INSERT INTO tasks (user_id, title, description, status, priority, tags, tag_keys, search_text,
                       title_key, due_at, time_zone, reminder_offset, recurrence_rule, created_at,
                       updated_at, completed_at, revision)
    VALUES (p_user, p_task ->> 'title', p_task ->> 'description', p_task ->> 'status', p_task ->> 'priority',
            ARRAY(SELECT jsonb_array_elements_text(p_task -> 'tags')),
            ARRAY(SELECT jsonb_array_elements_text(p_task -> 'tag_keys')),
            coalesce(p_task ->> 'search_text', ''), coalesce(p_task ->> 'title_key', ''),
            (p_task ->> 'due_date')::timestamptz,
            coalesce(p_task ->> 'time_zone', (SELECT u.time_zone FROM users u WHERE u.id = p_user)),
            p_task ->> 'reminder_offset', nullif(p_task -> 'recurrence_rule', 'null'), at, at,
            CASE WHEN p_task ->> 'status' = 'completed' THEN at END, taken)
    RETURNING * INTO created;
    PERFORM task_search_set(created, p_task -> 'search_pieces');
    body := created.representation;
    IF created.recurrence_rule IS NOT NULL THEN
        PERFORM series_start(created, (p_task ->> 'anchor')::timestamp, NULL, at);
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

-- Ends a series after an occurrence: the row keeps a successor from being made, the event says so.
CREATE FUNCTION series_close(p_user bigint, p_series bigint, p_task bigint, p_revision bigint,
                             at timestamptz, task_data text, trace text)
RETURNS boolean
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
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

-- Ends a series at its user's wish, from whichever occurrence: the row says when, the event once.
CREATE FUNCTION series_stop(p_user bigint, p_series bigint, p_task bigint, p_revision bigint,
                            at timestamptz, task_data text, trace text)
RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE series SET ended_at = at WHERE id = p_series AND ended_at IS NULL;
    IF FOUND THEN
        INSERT INTO occurrences (series_id, user_id, scheduled, state, created_at)
        VALUES (p_series, p_user, false, 'ended', at);
        PERFORM emit('series.ended', p_user, p_task, p_revision, at, '', task_data, trace);
    END IF;
END $$;

-- Takes a task away: row, tombstone, event. The caller has taken the revision.
CREATE FUNCTION task_remove(t tasks, taken bigint, at timestamptz, members text, trace text)
RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
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

-- Reopening withdraws the successor if nobody has changed it since it was made. An end is
-- withdrawn with it, so that completing again ends the series again.
CREATE FUNCTION successor_withdraw(p_user bigint, p_task bigint, at timestamptz, trace text)
RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
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
            UPDATE user_revisions SET revision = revision + 1 WHERE user_id = p_user
            RETURNING revision INTO taken;
            UPDATE occurrences SET state = 'withdrawn' WHERE id = successor.id;
            PERFORM task_remove(untouched, taken, at, ',"reason":"withdrawn"', trace);
        END IF;
    END IF;
END $$;

-- Carries an edit of one occurrence over to its series: the rule, and the anchor moved as far as the
-- occurrence was moved, so that a count goes on counting from where it began. The other occurrences
-- that are open get the rule; each has its revision and event.
CREATE FUNCTION series_rewrite(before tasks, changed tasks, moved_to timestamp, at timestamptz, trace text)
RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    other tasks;
    taken bigint;
    is_moved boolean := (before.due_at, before.time_zone) IS DISTINCT FROM (changed.due_at, changed.time_zone);
BEGIN
    UPDATE series s
    SET recurrence_rule = changed.recurrence_rule, time_zone = changed.time_zone,
        anchor = CASE WHEN is_moved THEN s.anchor + (moved_to - before.slot) ELSE s.anchor END
    WHERE s.id = before.series_id;
    -- A slot that another occurrence has stays its own.
    IF is_moved AND NOT EXISTS (SELECT FROM occurrences o WHERE o.series_id = before.series_id AND o.slot = moved_to
                                AND o.scheduled AND o.state <> 'withdrawn') THEN
        UPDATE occurrences o SET slot = moved_to
        WHERE o.task_id = changed.id AND o.series_id = before.series_id AND o.state = 'live';
        UPDATE tasks SET slot = moved_to WHERE id = changed.id;
    END IF;
    FOR other IN SELECT * FROM tasks t WHERE t.user_id = changed.user_id AND t.series_id = before.series_id
                 AND t.id <> changed.id AND t.status <> 'completed'
                 AND t.recurrence_rule <> changed.recurrence_rule ORDER BY t.id LOOP
        UPDATE user_revisions SET revision = revision + 1 WHERE user_id = changed.user_id
        RETURNING revision INTO taken;
        UPDATE tasks t SET
            recurrence_rule = changed.recurrence_rule, updated_at = at, revision = taken
        WHERE t.id = other.id
        RETURNING * INTO other;
        PERFORM emit('task.updated', other.user_id, other.id, taken, at, '', other.representation, trace);
    END LOOP;
END $$;

-- Replaces a task's writable members by `p_task`, if it still has the revision that the caller's
-- rules were applied to. `p_event` is the change's one event: task.updated, task.completed,
-- task.reopened. `p_series`: keep; start a series at this task (also instead of the one it is in);
-- leave the one it is in, which ends; rewrite the one it is in, see series_rewrite. Without `p_event` nothing changes, but the answer is kept for
-- the idempotency key.
-- Outcomes: changed; unchanged; stale, not_found (nothing done); replayed, key_reused; no_user.
CREATE FUNCTION task_change(p_user bigint, p_id bigint, p_expected bigint, p_event text, p_task jsonb,
                            p_series text, p_request text, p_key text, p_hash text, p_trace text)
RETURNS TABLE (outcome text, revision bigint, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    taken bigint;
    at timestamptz;
    before tasks;
    changed tasks;
    body text;
    refused text;
BEGIN
    UPDATE user_revisions SET revision = revision + 1 WHERE user_id = p_user RETURNING revision INTO taken;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'no_user', 0::bigint, NULL::text;
        RETURN;
    END IF;
    IF p_key IS NOT NULL THEN
        RETURN QUERY SELECT k.outcome, taken - 1, k.answer FROM kept_answer(p_user, p_request, p_key, p_hash) k;
        IF FOUND THEN
            UPDATE user_revisions SET revision = taken - 1 WHERE user_id = p_user;
            RETURN;
        END IF;
    END IF;
    SELECT * INTO before FROM tasks WHERE id = p_id AND user_id = p_user;
    IF NOT FOUND THEN
        refused := 'not_found';
    ELSIF before.revision <> p_expected THEN
        refused := 'stale';
    -- A further reminder changes no revision; one that the caller did not know of has no moment yet.
    ELSIF p_event IS NOT NULL AND EXISTS (SELECT FROM reminders r WHERE r.task_id = p_id AND r.before_due IS NOT NULL
                                          AND NOT p_task -> 'further' ? r.before_due) THEN
        refused := 'stale';
    END IF;
    IF refused IS NOT NULL THEN
        UPDATE user_revisions SET revision = taken - 1 WHERE user_id = p_user;
        RETURN QUERY SELECT refused, taken - 1, NULL::text;
        RETURN;
    END IF;
    at := clock_timestamp();
    IF p_event IS NULL THEN
        UPDATE user_revisions SET revision = taken - 1 WHERE user_id = p_user;
        body := before.representation;
        IF p_key IS NOT NULL THEN
            PERFORM keep_answer(p_user, p_request, p_key, p_hash, 200, body, at);
        END IF;
        RETURN QUERY SELECT 'unchanged', before.revision, body;
        RETURN;
    END IF;
    UPDATE tasks SET
        title = p_task ->> 'title', description = p_task ->> 'description',
        status = p_task ->> 'status', priority = p_task ->> 'priority',
        tags = ARRAY(SELECT jsonb_array_elements_text(p_task -> 'tags')),
        tag_keys = ARRAY(SELECT jsonb_array_elements_text(p_task -> 'tag_keys')),
        search_text = coalesce(p_task ->> 'search_text', ''), title_key = coalesce(p_task ->> 'title_key', ''),
        due_at = (p_task ->> 'due_date')::timestamptz,
        time_zone = coalesce(p_task ->> 'time_zone', (SELECT u.time_zone FROM users u WHERE u.id = p_user)),
        reminder_offset = p_task ->> 'reminder_offset',
        recurrence_rule = nullif(p_task -> 'recurrence_rule', 'null'),
        completed_at = CASE WHEN p_task ->> 'status' = 'completed' THEN coalesce(before.completed_at, at) END,
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
    -- A past occurrence leaves its series as it is: that goes on with its next one.
    IF p_series IN ('start', 'leave') AND before.series_id IS NOT NULL
       AND (before.status <> 'completed' OR changed.status <> 'completed') THEN
        PERFORM series_stop(p_user, before.series_id, p_id, taken, at, body, p_trace);
    END IF;
    IF p_series = 'start' THEN
        PERFORM series_start(changed, (p_task ->> 'anchor')::timestamp, before.series_id, at);
    END IF;
    IF p_series = 'rewrite' THEN
        PERFORM series_rewrite(before, changed, (p_task ->> 'anchor')::timestamp, at, p_trace);
    END IF;
    IF p_event = 'task.reopened' THEN
        PERFORM successor_withdraw(p_user, p_id, at, p_trace);
    END IF;
    IF p_series = 'start' THEN
        -- What followed in the series before is not in the way of a successor in this one.
        UPDATE occurrences SET predecessor_task_id = NULL WHERE predecessor_task_id = p_id;
    END IF;
    IF p_key IS NOT NULL THEN
        PERFORM keep_answer(p_user, p_request, p_key, p_hash, 200, body, at);
    END IF;
    RETURN QUERY SELECT 'changed', taken, body;
END $$;

-- Deletes a task. `p_expected` null: whatever its revision. `p_scope`: this, future or all; for a
-- pending occurrence `this` lets the series go on with its next one, the others end it.
-- Outcomes: deleted; stale, not_found (nothing done); no_user.
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
    UPDATE user_revisions SET revision = revision + 1 WHERE user_id = p_user RETURNING revision INTO taken;
    IF NOT FOUND THEN
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
        UPDATE user_revisions SET revision = taken - 1 WHERE user_id = p_user;
        RETURN QUERY SELECT refused, taken - 1;
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

-- Makes the successor of a completed occurrence, or of a pending one that was deleted alone, as a
-- new pending task that inherits what an occurrence inherits. `p_next`: the successor, and those
-- that follow it when slots that have passed are all made, as objects of slot, due and remind_at
-- (null for none), each the predecessor of the next. `p_skipped`: slots passed over. `p_series`:
-- the series that the slots were calculated for.
-- Outcomes: created; exists (another delivery was first, or the series has ended); stale (the
-- predecessor is not completed any more, or in another series, or the slot is taken by now).
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
    UPDATE user_revisions SET revision = revision + 1 WHERE user_id = p_user RETURNING revision INTO taken;
    IF NOT FOUND THEN
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
            UPDATE user_revisions SET revision = revision + 1 WHERE user_id = p_user RETURNING revision INTO taken;
        END IF;
        next_id := nextval(pg_get_serial_sequence('public.tasks', 'id'));
        -- Both keys are tried at once: one successor for each predecessor, one task for each slot.
        -- A withdrawn successor is revived once.
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
        INSERT INTO tasks (id, user_id, title, description, status, priority, tags, tag_keys,
                           search_text, title_key, due_at, time_zone, reminder_offset, recurrence_rule,
                           parent_task_id, series_id, slot, created_at, updated_at, revision)
        OVERRIDING SYSTEM VALUE
        VALUES (next_id, p_user, predecessor.title, predecessor.description, 'pending', predecessor.priority,
                predecessor.tags, predecessor.tag_keys, predecessor.search_text, predecessor.title_key,
                (next ->> 'due')::timestamptz, predecessor.time_zone,
                predecessor.reminder_offset, predecessor.recurrence_rule, rule.first_task_id, rule.id,
                (next ->> 'slot')::timestamp, at, at, taken)
        RETURNING * INTO created;
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
        UPDATE user_revisions SET revision = taken - 1 WHERE user_id = p_user;
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

-- Ends the series of a completed occurrence that has no next one.
-- Outcomes: ended; exists; stale.
CREATE FUNCTION series_end(p_user bigint, p_predecessor bigint, p_series bigint, p_trace text)
RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    predecessor tasks;
    deleted boolean := false;
BEGIN
    -- Takes no revision, for it changes no task, but waits for the user's other writers.
    UPDATE user_revisions SET revision = revision WHERE user_id = p_user;
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

-- Moves a pending occurrence on to a later slot of its series; the slot that it was in is recorded
-- as skipped, as are those between (`p_skipped`). `p_next`: slot, due_date, remind_at and further, as
-- in `task` parameters.
-- Outcomes: skipped; stale (also when the slot is taken by now), not_found; replayed, key_reused;
-- no_user.
CREATE FUNCTION task_skip(p_user bigint, p_id bigint, p_expected bigint, p_next jsonb, p_skipped jsonb,
                          p_request text, p_key text, p_hash text, p_trace text)
RETURNS TABLE (outcome text, revision bigint, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    taken bigint;
    at timestamptz;
    before tasks;
    changed tasks;
    body text;
    refused text;
    next_slot timestamp := (p_next ->> 'slot')::timestamp;
BEGIN
    UPDATE user_revisions SET revision = revision + 1 WHERE user_id = p_user RETURNING revision INTO taken;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'no_user', 0::bigint, NULL::text;
        RETURN;
    END IF;
    IF p_key IS NOT NULL THEN
        RETURN QUERY SELECT k.outcome, taken - 1, k.answer FROM kept_answer(p_user, p_request, p_key, p_hash) k;
        IF FOUND THEN
            UPDATE user_revisions SET revision = taken - 1 WHERE user_id = p_user;
            RETURN;
        END IF;
    END IF;
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
        UPDATE user_revisions SET revision = taken - 1 WHERE user_id = p_user;
        RETURN QUERY SELECT refused, taken - 1, NULL::text;
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

-- A reminder as the API answers it, with the offset that it or its task has.
CREATE FUNCTION reminder_json(r reminders, t tasks) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', (r).id, 'task_id', (r).task_id, 'kind', (r).kind,
    'offset', CASE (r).kind WHEN 'task' THEN (t).reminder_offset ELSE (r).before_due END,
    'remind_at', instant((r).remind_at), 'snoozed', (r).planned_at IS DISTINCT FROM (r).remind_at,
    'status', (r).state, 'created_at', instant((r).created_at));

-- Adds a further reminder to a task: at a moment, or so long before the due date (`p_before`), which
-- is `p_at` now. Changes no task, so it takes no revision, but waits for the user's other writers.
-- Outcomes: added; stale, not_found, too_many (nothing done); replayed, key_reused; no_user.
CREATE FUNCTION reminder_add(p_user bigint, p_task bigint, p_expected bigint, p_before text, p_at text,
                             p_max bigint, p_request text, p_key text, p_hash text, p_trace text)
RETURNS TABLE (outcome text, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    at timestamptz;
    t tasks;
    added reminders;
    body text;
BEGIN
    UPDATE user_revisions SET revision = revision WHERE user_id = p_user;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'no_user', NULL::text;
        RETURN;
    END IF;
    IF p_key IS NOT NULL THEN
        RETURN QUERY SELECT k.outcome, k.answer FROM kept_answer(p_user, p_request, p_key, p_hash) k;
        IF FOUND THEN
            RETURN;
        END IF;
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

-- Arms a reminder for another moment, until its plan changes.
-- Outcomes: snoozed; not_found; completed (the task is).
CREATE FUNCTION reminder_snooze(p_user bigint, p_reminder bigint, p_until text, p_trace text)
RETURNS TABLE (outcome text, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    t tasks;
    snoozed reminders;
BEGIN
    UPDATE user_revisions SET revision = revision WHERE user_id = p_user;
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

-- Takes a reminder away. With a task's own one its reminder_offset goes, which is a change of the task.
-- Outcomes: removed; not_found.
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
    UPDATE user_revisions SET revision = revision + 1 WHERE user_id = p_user RETURNING revision INTO taken;
    DELETE FROM reminders WHERE id = p_reminder AND user_id = p_user RETURNING * INTO removed;
    SELECT * INTO t FROM tasks WHERE id = removed.task_id;
    at := clock_timestamp();
    IF removed.kind = 'task' AND t.reminder_offset IS NOT NULL THEN
        UPDATE tasks SET reminder_offset = NULL, updated_at = at, revision = taken WHERE id = t.id
        RETURNING * INTO t;
        body := t.representation;
        PERFORM emit('task.updated', p_user, t.id, taken, at, '', body, p_trace);
    ELSE
        UPDATE user_revisions SET revision = taken - 1 WHERE user_id = p_user;
        body := t.representation;
    END IF;
    IF removed.state = 'armed' THEN
        PERFORM emit('reminder.cancelled', p_user, t.id, t.revision, at,
                     reminder_members(removed.id, removed.remind_at, t.due_at), body, p_trace);
    END IF;
    RETURN QUERY SELECT CASE WHEN removed.id IS NULL THEN 'not_found' ELSE 'removed' END;
END $$;

-- How often a tag is used, by its key.
CREATE FUNCTION tag_count(p_user bigint, p_key text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT count(*) FROM tasks t WHERE t.user_id = p_user AND t.tag_keys @> ARRAY[p_key]
$$;

-- Renames a tag on all of the user's tasks, recolours it, or takes it away. `p_key`: which;
-- `p_name` and `p_name_key`: what it is called from now on (null: taken away); a name that is in use
-- already joins both. `p_recolor`: whether `p_color` (null for none) replaces its colour. Each changed
-- task takes a revision of its own, in the order of their last changes.
-- Outcomes: changed; not_found; no_user. `answer` is the tag, unless it was taken away.
CREATE FUNCTION tag_change(p_user bigint, p_key text, p_name text, p_name_key text, p_recolor boolean,
                           p_color text, p_trace text)
RETURNS TABLE (outcome text, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    taken bigint;
    at timestamptz;
    was tags;
    tag tags;
    changes bigint;
BEGIN
    UPDATE user_revisions SET revision = revision WHERE user_id = p_user RETURNING revision INTO taken;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'no_user', NULL::text;
        RETURN;
    END IF;
    SELECT * INTO was FROM tags g WHERE g.user_id = p_user AND g.key = p_key;
    IF NOT FOUND AND tag_count(p_user, p_key) = 0 THEN
        RETURN QUERY SELECT 'not_found', NULL::text;
        RETURN;
    END IF;
    at := clock_timestamp();
    WITH affected AS (
        SELECT t.id, wanted.names, wanted.keys, row_number() OVER (ORDER BY t.revision) AS place
        FROM tasks t
        CROSS JOIN LATERAL (
            SELECT coalesce(array_agg(x.name ORDER BY x.key COLLATE "C"), '{}') AS names,
                   coalesce(array_agg(x.key ORDER BY x.key COLLATE "C"), '{}') AS keys
            FROM (SELECT u.key, u.name FROM unnest(t.tag_keys, t.tags) AS u (key, name)
                  WHERE u.key <> p_key AND u.key IS DISTINCT FROM p_name_key
                  UNION ALL
                  SELECT p_name_key, p_name WHERE p_name IS NOT NULL) AS x
        ) AS wanted
        WHERE t.user_id = p_user AND t.tag_keys @> ARRAY[p_key] AND t.tags <> wanted.names
    ), changed AS (
        UPDATE tasks t
        SET tags = a.names, tag_keys = a.keys, updated_at = at, revision = taken + a.place
        FROM affected a WHERE t.id = a.id
        RETURNING t.*
    )
    SELECT count(x.emitted) INTO changes
    FROM (SELECT emit('task.updated', p_user, c.id, c.revision, at, '', c.representation, p_trace)::text
                 AS emitted
          FROM (SELECT * FROM changed ORDER BY revision) AS c) AS x;
    UPDATE user_revisions SET revision = taken + changes WHERE user_id = p_user;
    IF p_name IS NULL THEN
        DELETE FROM tags g WHERE g.user_id = p_user AND g.key = p_key;
        RETURN QUERY SELECT 'changed', NULL::text;
        RETURN;
    END IF;
    IF p_key <> p_name_key THEN
        DELETE FROM tags g WHERE g.user_id = p_user AND g.key = p_key;
    END IF;
    -- Of two that are joined, the one that keeps its name keeps its colour.
    INSERT INTO tags AS g (user_id, key, name, color)
    SELECT p_user, p_name_key, p_name, c.color
    FROM (SELECT CASE WHEN p_recolor THEN p_color ELSE was.color END AS color) AS c
    WHERE c.color IS NOT NULL
    ON CONFLICT ON CONSTRAINT tags_pkey DO UPDATE
    SET name = excluded.name, color = CASE WHEN p_recolor THEN excluded.color ELSE g.color END;
    IF p_recolor AND p_color IS NULL THEN
        DELETE FROM tags g WHERE g.user_id = p_user AND g.key = p_name_key;
    END IF;
    SELECT * INTO tag FROM tags g WHERE g.user_id = p_user AND g.key = p_name_key;
    RETURN QUERY SELECT 'changed', json_build_object('name', p_name, 'color', tag.color,
                                                     'count', tag_count(p_user, p_name_key))::text;
END $$;

RESET ROLE;
