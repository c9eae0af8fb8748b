-- The history of a task, from the audit log.

SET LOCAL ROLE rondo_owner;

CREATE INDEX audit_logs_by_task ON audit_logs (user_id, task_id, ((payload ->> 'revision')::bigint));

RESET ROLE;
