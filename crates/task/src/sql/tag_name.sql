-- The current spelling of a tag, as in tags.sql; null if there is none.
-- $1 user, $2 key of the tag
SELECT coalesce((SELECT g.name FROM tags g WHERE g.user_id = $1::int8 AND g.key = $2::text),
                (SELECT mode() WITHIN GROUP (ORDER BY x.name)
                 FROM (SELECT unnest(t.tag_keys) AS key, unnest(t.tags) AS name FROM tasks t
                       WHERE t.user_id = $1::int8 AND t.tag_keys @> ARRAY[$2::text]) AS x
                 WHERE x.key = $2::text)) AS name
