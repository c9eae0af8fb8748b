-- The audit log. A role appends to it and reads it; only the retention function deletes from it.

SET LOCAL ROLE rondo_owner;

CREATE TABLE audit_logs (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_logs_pkey PRIMARY KEY,
    event_id uuid NOT NULL CONSTRAINT audit_logs_event_once UNIQUE,
    action_type text NOT NULL,
    user_id bigint,
    task_id bigint,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    topic text NOT NULL,
    payload jsonb NOT NULL
);
CREATE INDEX audit_logs_by_user ON audit_logs (user_id, id);
CREATE INDEX audit_logs_by_time ON audit_logs (recorded_at);

-- Deletes old entries, at most p_limit; returns the number of rows.

CREATE FUNCTION audit_retain(p_days integer, p_limit integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM audit_logs WHERE id IN (
            SELECT id FROM audit_logs WHERE recorded_at < clock_timestamp() - p_days * interval '1 day'
            ORDER BY recorded_at LIMIT p_limit)
        RETURNING 1)
    SELECT count(*) FROM gone
$$;

GRANT SELECT, INSERT ON audit_logs TO rondo_audit;
GRANT EXECUTE ON FUNCTION audit_retain TO rondo_bridge;

RESET ROLE;
