-- Events on their way to the transport.

SET LOCAL ROLE rondo_owner;

-- Events in transit: written in the transaction of the change, deleted by the relay after the transport has
-- acknowledged them. One row per event, however many topics carry it.
CREATE TABLE outbox (
    -- Assigned under the user's lock: ascends in commit order per user, but not across users. A cursor
    -- over it would lose rows.
    id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) CONSTRAINT outbox_pkey PRIMARY KEY,
    -- 0 to 63, by hash of the user; each shard is relayed by one relay at a time.
    shard smallint NOT NULL GENERATED ALWAYS AS ((hashint8extended(user_id, 0) & 63)::smallint) STORED,
    event_id uuid NOT NULL,
    event_type text NOT NULL,
    user_id bigint NOT NULL,
    -- Null for an event that is not about a task.
    task_id bigint,
    occurred_at timestamptz NOT NULL,
    traceparent text,
    -- The value, JSON.
    payload text NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0,
        autovacuum_analyze_threshold = 20000);
CREATE INDEX outbox_by_shard ON outbox (shard, id);

-- Version of the schema of events' values.
CREATE FUNCTION event_schema_version() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '1.0';

-- The value of an event, as JSON. `members` is JSON text: the members of its type, each preceded by a
-- comma.
CREATE FUNCTION event_value(event_id uuid, event_type text, at timestamptz, members text) RETURNS text
LANGUAGE sql STABLE
RETURN '{"event_id":"' || event_id || '","schema_version":"' || event_schema_version() || '","event_type":"'
    || event_type || '","timestamp":"' || instant(at) || '"' || members || '}';

-- Members of an event about a task; `members` as for event_value. STABLE, because text
--
--
-- bigint is. An IMMUTABLE function would not be inlined, and would add a tenth to a creation.
CREATE FUNCTION task_members(task_id bigint, user_id bigint, revision bigint, members text, task_data text)
RETURNS text
LANGUAGE sql STABLE
RETURN ',"task_id":' || task_id || ',"user_id":' || user_id || ',"revision":' || revision || members
    || ',"task_data":' || task_data;

-- Puts an event about a task into the outbox; `members` as for event_value.
CREATE FUNCTION emit(event_type text, user_id bigint, task_id bigint, revision bigint,
                     at timestamptz, members text, task_data text, traceparent text)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    event_id uuid := gen_random_uuid();
BEGIN
    INSERT INTO outbox (event_id, event_type, user_id, task_id, occurred_at, traceparent, payload)
    VALUES (event_id, emit.event_type, emit.user_id, emit.task_id, at, emit.traceparent,
            event_value(event_id, emit.event_type, at,
                        task_members(emit.task_id, emit.user_id, revision, members, task_data)));
END $$;

-- Removes events that the transport has acknowledged.
CREATE FUNCTION outbox_remove(p_ids bigint[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH removed AS (DELETE FROM outbox WHERE id = ANY (p_ids) RETURNING 1)
    SELECT count(*) FROM removed
$$;

-- The transport that carries this database's events: one row.
CREATE TABLE transport (
    only_row boolean NOT NULL DEFAULT true CONSTRAINT transport_pkey PRIMARY KEY
        CONSTRAINT transport_only_row CHECK (only_row),
    name text NOT NULL CONSTRAINT transport_name CHECK (name IN ('local', 'kafka')),
    since timestamptz NOT NULL
);

-- Sets the transport.
CREATE FUNCTION transport_set(p_name text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO transport (name, since) VALUES (p_name, clock_timestamp())
    ON CONFLICT ON CONSTRAINT transport_pkey DO UPDATE SET name = excluded.name, since = excluded.since
    WHERE transport.name <> excluded.name
$$;

GRANT SELECT ON outbox, transport TO rondo_bridge;
GRANT EXECUTE ON FUNCTION outbox_remove, transport_set TO rondo_bridge;

RESET ROLE;
