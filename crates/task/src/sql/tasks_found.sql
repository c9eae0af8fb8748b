-- One page of the given tasks that pass a user's filters, in any order, and one task more if there are more;
-- each with the total count. An empty page has one row without a task. $1 to $20 as in
-- tasks_by_created_at_desc.sql; $21 ids of the tasks, $22 sort member, $23 whether ascending. They are few,
-- so they are sorted here, by text that sorts like its values.
WITH found AS MATERIALIZED (
    SELECT t.representation, t.id,
           CASE $22::text
               WHEN 'created_at' THEN to_char(t.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
               WHEN 'updated_at' THEN to_char(t.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
               WHEN 'due_date' THEN to_char(t.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
               WHEN 'priority' THEN priority_rank(t.priority)::text
               WHEN 'position' THEN t.position
               ELSE t.title_key
           END COLLATE "C" AS key
    FROM tasks t
    WHERE t.id = ANY ($21::text::int8[]) AND t.user_id = $1::int8
      AND task_matches(t, $2::text, $3::text[], $4::text[], $5::text[], $6::text[], $7::text, $8::text,
                       $9::bool, $10::int8, $11::text, $12::int8, $13::int8, $14::bool, $15::bool, $16::text)
), cursor AS MATERIALIZED (
    SELECT CASE WHEN $22::text IN ('created_at', 'updated_at', 'due_date')
                THEN to_char($17::text::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
                ELSE $17::text END COLLATE "C" AS key
), page AS (
    SELECT f.*, row_number() OVER (ORDER BY f.key IS NULL, CASE WHEN $23::bool THEN f.key END,
                                   CASE WHEN NOT $23::bool THEN f.key END DESC,
                                   CASE WHEN $23::bool THEN f.id ELSE -f.id END) AS place
    FROM found f, cursor c
    WHERE $18::int8 IS NULL
       OR CASE WHEN c.key IS NULL THEN f.key IS NULL AND CASE WHEN $23::bool THEN f.id > $18::int8 ELSE f.id < $18::int8 END
               WHEN f.key IS NULL THEN true
               WHEN $23::bool THEN (f.key, f.id) > (c.key, $18::int8)
               ELSE (f.key, f.id) < (c.key, $18::int8) END
)
SELECT page.representation, counted.total
FROM (SELECT count(*) AS total FROM found) AS counted
     LEFT JOIN page ON place > $20::int8 AND place <= $19::int8 + $20::int8 + 1
ORDER BY place
