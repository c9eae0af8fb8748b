-- Changes of a user after a revision as a JSON array, oldest first, with the user's current revision and the
-- horizon, below which tombstones have been removed. One statement reads one state.
-- $1 user, $2 revision, $3 limit
WITH position AS (
    SELECT coalesce((SELECT r.revision FROM user_revisions r WHERE r.user_id = $1::int8), 0) AS revision,
           coalesce((SELECT h.revision FROM deletion_horizons h WHERE h.user_id = $1::int8), 0) AS horizon
), change AS (
    SELECT c.*, row_number() OVER (ORDER BY c.revision) AS place
    FROM (
        (SELECT t.revision, '"upsert","task":' AS op, t.representation AS value
         FROM tasks t
         WHERE t.user_id = $1::int8 AND t.revision > $2::int8
         ORDER BY t.revision
         LIMIT $3::int8 + 1)
        UNION ALL
        (SELECT l.revision, '"upsert","list":', list_json(l)
         FROM lists l
         WHERE l.user_id = $1::int8 AND l.revision > $2::int8
         ORDER BY l.revision
         LIMIT $3::int8 + 1)
        UNION ALL
        (SELECT d.revision, CASE WHEN d.list_id IS NULL THEN '"delete","task_id":' ELSE '"delete","list_id":' END,
                coalesce(d.list_id, d.task_id)::text
         FROM deletions d
         WHERE d.user_id = $1::int8 AND d.revision > $2::int8
         ORDER BY d.revision
         LIMIT $3::int8 + 1)
    ) AS c
    ORDER BY c.revision
    LIMIT $3::int8 + 1
)
SELECT p.revision AS current, p.horizon, page.*
FROM position p, (
    SELECT '[' || coalesce(string_agg('{"revision":' || c.revision || ',"op":' || c.op || c.value || '}',
                                      ',' ORDER BY c.place) FILTER (WHERE c.place <= $3::int8), '') || ']' AS changes,
           max(c.revision) FILTER (WHERE c.place <= $3::int8) AS last,
           count(*) > $3::int8 AS more
    FROM change c
) AS page
