-- One page of a webhook's deliveries as a JSON array, newest first.
-- $1 user, $2 webhook, $3 id after which the page begins (null: the newest), $4 limit
WITH webhook AS (
    SELECT id FROM webhooks WHERE user_id = $1::int8 AND id = $2::int8
), page AS (
    SELECT d.id, webhook_delivery_json(d)::text AS delivery, row_number() OVER (ORDER BY d.id DESC) AS place
    FROM webhook_deliveries d
    WHERE d.webhook_id = (SELECT id FROM webhook) AND d.id < coalesce($3::int8, 9223372036854775807)
    ORDER BY d.id DESC
    LIMIT $4::int8 + 1
)
SELECT EXISTS (SELECT FROM webhook) AS is_known,
       '[' || coalesce(string_agg(delivery, ',' ORDER BY id DESC) FILTER (WHERE place <= $4::int8), '')
           || ']' AS items,
       min(id) FILTER (WHERE place <= $4::int8) AS last_id,
       count(*) > $4::int8 AS more
FROM page
