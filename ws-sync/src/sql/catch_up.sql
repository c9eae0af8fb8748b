-- Changes of user $1 after revision $2 up to $3 (null: the current one), at most $4, oldest first. A change has
-- the id of a task or of a list. One statement reads one state, so current revision, horizon and changes are
-- consistent. There is always a row; its change is null if there is none.
SELECT position.revision AS current, position.horizon, change.revision, change.task_id, change.list_id, change.state
FROM (
    SELECT coalesce((SELECT r.revision FROM user_revisions r WHERE r.user_id = $1::bigint), 0) AS revision,
           coalesce((SELECT h.revision FROM deletion_horizons h WHERE h.user_id = $1), 0) AS horizon
) AS position
LEFT JOIN LATERAL (
    SELECT c.revision, c.task_id, c.list_id, c.state
    FROM (
        (SELECT t.revision, t.id AS task_id, NULL::bigint AS list_id, t.representation AS state
         FROM tasks t
         WHERE t.user_id = $1 AND t.revision > $2::bigint
           AND t.revision <= coalesce($3::bigint, position.revision)
         ORDER BY t.revision
         LIMIT $4::bigint)
        UNION ALL
        (SELECT l.revision, NULL, l.id, list_json(l)
         FROM lists l
         WHERE l.user_id = $1 AND l.revision > $2
           AND l.revision <= coalesce($3, position.revision)
         ORDER BY l.revision
         LIMIT $4)
        UNION ALL
        (SELECT d.revision, d.task_id, d.list_id, NULL
         FROM deletions d
         WHERE d.user_id = $1 AND d.revision > $2
           AND d.revision <= coalesce($3, position.revision)
         ORDER BY d.revision
         LIMIT $4)
    ) AS c
    ORDER BY c.revision
    LIMIT $4
) AS change ON true
ORDER BY change.revision
