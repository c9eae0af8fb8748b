-- One page of a user's tasks as a JSON array, in any order. Tasks without a value of what they are
-- sorted by come last in both directions; equal ones are sorted by id in the same direction.
-- $1 to $11 as in tasks_newest.sql, $12 and $13 sort key (null: none) and id after which the page
-- begins ($13 null: the first), $14 limit, $15 offset, $16 what to sort by, $17 whether descending,
-- $18 whether to count what matches
WITH matching AS (
    SELECT t.id AS task_id, CASE WHEN $17::bool THEN -t.id ELSE t.id END AS id,
           CASE WHEN $17::bool THEN -key.number ELSE key.number END AS number,
           CASE WHEN $16::text = 'title' THEN folded(t.title) COLLATE "C" END AS word
    FROM tasks t
    CROSS JOIN LATERAL (SELECT CASE $16::text
        WHEN 'created_at' THEN (extract(epoch FROM t.created_at) * 1000000)::int8
        WHEN 'updated_at' THEN (extract(epoch FROM t.updated_at) * 1000000)::int8
        WHEN 'due_date' THEN (extract(epoch FROM t.due_at) * 1000000)::int8
        WHEN 'priority' THEN array_position(ARRAY['low', 'medium', 'high', 'urgent'], t.priority)::int8
        END AS number) AS key
    WHERE t.user_id = $1::int8
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
), page AS (
    SELECT m.*, row_number() OVER sorted AS place
    FROM matching m
    WHERE $13::int8 IS NULL
       OR CASE WHEN $16::text = 'title' AND $17::bool
               THEN m.word < $12::text OR (m.word = $12::text AND m.id > -$13::int8)
               WHEN $16::text = 'title'
               THEN m.word > $12::text OR (m.word = $12::text AND m.id > $13::int8)
               WHEN $12::text IS NULL
               THEN m.number IS NULL AND m.id > CASE WHEN $17::bool THEN -$13::int8 ELSE $13::int8 END
               ELSE m.number IS NULL
                    OR (m.number, m.id) > (CASE WHEN $17::bool THEN -($12::text::int8) ELSE $12::text::int8 END,
                                           CASE WHEN $17::bool THEN -$13::int8 ELSE $13::int8 END)
          END
    WINDOW sorted AS (ORDER BY CASE WHEN NOT $17::bool THEN m.word END, CASE WHEN $17::bool THEN m.word END DESC,
                               m.number, m.id)
    ORDER BY place
    LIMIT $14::int8 + 1 OFFSET $15::int8
)
SELECT '[' || coalesce(string_agg(task_json(t)::text, ',' ORDER BY p.place)
                       FILTER (WHERE p.place <= $14::int8 + $15::int8), '') || ']' AS items,
       max(coalesce(p.word, (CASE WHEN $17::bool THEN -p.number ELSE p.number END)::text))
           FILTER (WHERE p.place = $14::int8 + $15::int8) AS last_key,
       max(t.id) FILTER (WHERE p.place = $14::int8 + $15::int8) AS last_id,
       count(*) > $14::int8 AS more,
       CASE WHEN $18::bool THEN (SELECT count(*) FROM matching) END AS total
FROM page p JOIN tasks t ON t.id = p.task_id
