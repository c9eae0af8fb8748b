SELECT digests_advance($1::jsonb, $2::text)
