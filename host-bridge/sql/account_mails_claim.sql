SELECT id, attempts, email, name, subject, body_text, body_html, NULL::text AS unsubscribe_url, traceparent,
       NULL::text AS facts
FROM account_mails_claim($1::integer, $2::bigint)
