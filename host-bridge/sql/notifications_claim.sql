SELECT id, attempts, email, name, subject, body_text, body_html, unsubscribe_url, traceparent, facts
FROM notifications_claim($1::integer, $2::bigint)
