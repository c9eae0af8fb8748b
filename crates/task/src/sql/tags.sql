-- A user's tags as a JSON array, sorted ignoring case. The spelling is that of the tag's colour, or the one
-- that most tasks have.
-- $1 user
WITH used AS (
    SELECT x.key, count(*) AS count, mode() WITHIN GROUP (ORDER BY x.name) AS name
    -- Unnests both arrays in parallel; a join takes a third longer.
    FROM (SELECT unnest(t.tag_keys) AS key, unnest(t.tags) AS name FROM tasks t WHERE t.user_id = $1::int8) AS x
    GROUP BY x.key
), colored AS (
    SELECT g.key, g.name, g.color FROM tags g WHERE g.user_id = $1::int8
)
SELECT '[' || coalesce(string_agg(
           json_build_object('name', coalesce(c.name, u.name), 'color', c.color, 'count', coalesce(u.count, 0))::text,
           ',' ORDER BY key COLLATE "C"), '') || ']' AS items
FROM used u FULL JOIN colored c USING (key)
