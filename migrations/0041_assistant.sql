-- Assistants: their component's rights, and events that say through which program their user acted.

SET LOCAL ROLE rondo_owner;

-- The traceparent that an argument `p_trace` begins with (W3C Trace Context).
CREATE FUNCTION traceparent_of(trace text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN left(trace, 55);

-- What follows it: who acts for the user, as `members` of event_value. Empty if it is the user.
CREATE FUNCTION actor_members(trace text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(substr(trace, 56), '');

CREATE OR REPLACE FUNCTION emit(event_type text, user_id bigint, task_id bigint, revision bigint,
                                at timestamptz, members text, task_data text, traceparent text)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    event_id uuid := gen_random_uuid();
BEGIN
    INSERT INTO outbox (event_id, event_type, user_id, task_id, occurred_at, traceparent, payload)
    VALUES (event_id, emit.event_type, emit.user_id, emit.task_id, at, traceparent_of(emit.traceparent),
            event_value(event_id, emit.event_type, at,
                        task_members(emit.task_id, emit.user_id, revision,
                                     members || actor_members(emit.traceparent), task_data)));
END $$;

CREATE OR REPLACE FUNCTION list_emit(event_type text, l lists, revision bigint, at timestamptz, members text,
                                     trace text)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    event_id uuid := gen_random_uuid();
BEGIN
    INSERT INTO outbox (event_id, event_type, user_id, occurred_at, traceparent, payload)
    VALUES (event_id, list_emit.event_type, l.user_id, at, traceparent_of(trace),
            event_value(event_id, list_emit.event_type, at,
                        ',"list_id":' || l.id || ',"user_id":' || l.user_id || ',"revision":' || revision
                        || members || actor_members(trace) || ',"list_data":' || list_json(l)));
END $$;

-- A reminder keeps the trace of the request that armed it, but not who acted: when it fires, it is nobody's act.
CREATE FUNCTION reminder_trace() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.traceparent := traceparent_of(NEW.traceparent);
    RETURN NEW;
END $$;
CREATE TRIGGER reminder_trace BEFORE INSERT OR UPDATE OF traceparent ON reminders
FOR EACH ROW WHEN (length(NEW.traceparent) > 55) EXECUTE FUNCTION reminder_trace();

-- The component runs the code of task-api, so it has the same rights. It reads the audit log, too.
DO $$
DECLARE
    granted text;
BEGIN
    FOR granted IN
        SELECT format('GRANT SELECT ON %s TO rondo_mcp', c.oid::regclass)
        FROM pg_class c, aclexplode(c.relacl) a
        WHERE a.grantee = 'rondo_task_api'::regrole AND a.privilege_type = 'SELECT'
        UNION ALL
        SELECT format('GRANT SELECT (%I) ON %s TO rondo_mcp', t.attname, t.attrelid::regclass)
        FROM pg_attribute t, aclexplode(t.attacl) a
        WHERE a.grantee = 'rondo_task_api'::regrole AND a.privilege_type = 'SELECT'
        UNION ALL
        SELECT format('GRANT EXECUTE ON FUNCTION %s TO rondo_mcp', p.oid::regprocedure)
        FROM pg_proc p, aclexplode(p.proacl) a
        WHERE a.grantee = 'rondo_task_api'::regrole
    LOOP
        EXECUTE granted;
    END LOOP;
END $$;
GRANT SELECT ON audit_logs TO rondo_mcp;

RESET ROLE;
