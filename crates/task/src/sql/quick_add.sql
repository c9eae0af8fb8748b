-- $1 user, $2 task, $3 method and path, $4 idempotency key, $5 hash of the body, $6 traceparent, $7 further
-- reminders: a list of {before (null: none), at}, $8 maximum number of further reminders of a task
--
-- One statement, so the task and its reminders are one transaction. reminder_add is volatile and depends on the
-- row of task_create, so it runs after it and sees its task. A replayed answer has no reminders to add. LIMIT
-- tells the planner that there is one row.
SELECT made.outcome, made.revision, made.answer,
       (SELECT count(*)
        FROM jsonb_array_elements(
                 CASE made.outcome WHEN 'created' THEN $7::text::jsonb ELSE '[]'::jsonb END) AS wanted (moment),
             reminder_add($1::int8, (made.answer::json ->> 'id')::int8, made.revision, wanted.moment ->> 'before',
                          wanted.moment ->> 'at', $8::int8, NULL, NULL, NULL, $6::text)) AS added
FROM (SELECT outcome, revision, answer
      FROM task_create($1::int8, $2::text::jsonb, $3::text, $4::text, $5::text, $6::text)
      LIMIT 1) AS made
