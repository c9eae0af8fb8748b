-- The user's tasks that may contain a phrase, by its pieces.
-- $1 user, $2 pieces, $3 maximum number of tasks
SELECT coalesce(array_agg(task_id), '{}')::text AS ids, count(*) AS found
FROM (
    SELECT s.task_id
    FROM task_search s
    WHERE s.keys @> ARRAY(SELECT search_key($1::int8, piece::int8) FROM unnest($2::text[]) AS x (piece))
    LIMIT $3::int8
) AS candidates
