SELECT id, attempts, email, name, subject, body_text, body_html, traceparent
FROM account_mails_claim($1::integer, $2::bigint)
