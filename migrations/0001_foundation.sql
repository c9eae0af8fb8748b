-- The rights on the schema, and helpers of every other file.

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO rondo_owner;
SET LOCAL ROLE rondo_owner;

-- Without IN SCHEMA: that form only adds to the built-in default and revokes nothing.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- An instant in RFC 3339, in UTC, with a fraction only if it is not zero. to_json does not depend on
-- DateStyle and costs less than to_char.
CREATE FUNCTION instant(at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN btrim(to_json(at AT TIME ZONE 'UTC')::text, '"') || 'Z';

GRANT EXECUTE ON FUNCTION instant TO rondo_task_api, rondo_recurrence, rondo_notify, rondo_audit, rondo_bridge;

RESET ROLE;
