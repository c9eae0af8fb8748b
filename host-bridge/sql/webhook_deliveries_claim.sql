SELECT id, webhook_id, attempts, tries, event_id, event_type, url, secrets, payload, traceparent
FROM webhook_deliveries_claim($1::integer, $2::integer, $3::bigint)
