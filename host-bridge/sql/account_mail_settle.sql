SELECT account_mail_settle($1::bigint, $2::text, $3::bigint)
