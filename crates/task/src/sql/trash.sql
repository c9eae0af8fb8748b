-- One page of a user's deleted tasks as a JSON array, newest first: each as it was, and since and until when it is there.
-- $1 user, $2 revision before which the page begins (null: the newest), $3 limit, $4 for how many days they are kept
WITH page AS (
    SELECT b.representation, b.deleted_at, b.revision, row_number() OVER (ORDER BY b.revision DESC) AS place
    FROM trash b
    WHERE b.user_id = $1::int8 AND b.revision < coalesce($2::int8, 9223372036854775807)
    ORDER BY b.revision DESC
    LIMIT $3::int8 + 1
)
SELECT '[' || coalesce(string_agg(
           left(p.representation, -1) || ',"deleted_at":"' || instant(p.deleted_at) || '","kept_until":"'
           || instant(p.deleted_at + $4::int8 * interval '1 day') || '"}', ',' ORDER BY p.revision DESC)
           FILTER (WHERE p.place <= $3::int8), '') || ']' AS items,
       min(p.revision) FILTER (WHERE p.place <= $3::int8) AS last,
       count(*) > $3::int8 AS more
FROM page p
