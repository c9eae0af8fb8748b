-- One page of a user's lists as a JSON array, in their order.
-- $1 user, $2 whether archived (null: any), $3 position after which the page begins (null: at the start), $4
-- limit
WITH page AS (
    SELECT l AS list, l.position, row_number() OVER (ORDER BY l.position) AS place
    FROM lists l
    WHERE l.user_id = $1::int8 AND l.position > coalesce($3::text, '')
      AND ($2::bool IS NULL OR l.archived = $2::bool)
    ORDER BY l.position
    LIMIT $4::int8 + 1
)
SELECT '[' || coalesce(string_agg(list_json(p.list), ',' ORDER BY p.place) FILTER (WHERE p.place <= $4::int8), '')
           || ']' AS items,
       max(p.position) FILTER (WHERE p.place <= $4::int8) AS last,
       count(*) > $4::int8 AS more
FROM page p
