-- One page of a user's tasks as a JSON array, newest first: the usual order, read along its index.
-- The filters are those of tasks_sorted.sql.
-- $1 user, $2 phrase, $3 states, $4 priorities, $5 any of these tags, $6 all of these tags, $7 and $8
-- bounds of the due date, inclusive, $9 whether there is one, $10 parent, $11 changed since (each
-- null: whatever), $12 and $13 created_at (microseconds since 1970) and id after which the page
-- begins (null: the newest), $14 limit, $15 offset
WITH page AS (
    SELECT t.*::tasks AS task, t.id, t.created_at, row_number() OVER (ORDER BY t.created_at DESC, t.id DESC) AS place
    FROM tasks t
    WHERE t.user_id = $1::int8
      AND (t.created_at, t.id)
          < (coalesce('epoch'::timestamptz + $12::int8 * interval '1 microsecond', 'infinity'),
             coalesce($13::int8, 9223372036854775807))
      AND ($2::text IS NULL OR strpos(folded(t.title), folded($2::text)) > 0
           OR strpos(folded(t.description), folded($2::text)) > 0)
      AND ($3::text[] IS NULL OR t.status = ANY ($3::text[]))
      AND ($4::text[] IS NULL OR t.priority = ANY ($4::text[]))
      AND ($5::text[] IS NULL
           OR EXISTS (SELECT FROM unnest(t.tags) AS x (tag) WHERE lower(x.tag) = ANY ($5::text[])))
      AND ($6::text[] IS NULL
           OR NOT EXISTS (SELECT FROM unnest($6::text[]) AS w (wanted)
                          WHERE w.wanted NOT IN (SELECT lower(x.tag) FROM unnest(t.tags) AS x (tag))))
      AND ($7::text IS NULL OR t.due_at >= $7::text::timestamptz)
      AND ($8::text IS NULL OR t.due_at <= $8::text::timestamptz)
      AND ($9::bool IS NULL OR (t.due_at IS NOT NULL) = $9::bool)
      AND ($10::int8 IS NULL OR t.parent_task_id = $10::int8)
      AND ($11::text IS NULL OR t.updated_at >= $11::text::timestamptz)
    ORDER BY t.created_at DESC, t.id DESC
    LIMIT $14::int8 + 1 OFFSET $15::int8
)
SELECT '[' || coalesce(string_agg(task_json(task)::text, ',' ORDER BY place)
                       FILTER (WHERE place <= $14::int8 + $15::int8), '') || ']' AS items,
       max((extract(epoch FROM created_at) * 1000000)::int8::text)
           FILTER (WHERE place = $14::int8 + $15::int8) AS last_key,
       max(id) FILTER (WHERE place = $14::int8 + $15::int8) AS last_id,
       count(*) > $14::int8 AS more,
       NULL::int8 AS total
FROM page
