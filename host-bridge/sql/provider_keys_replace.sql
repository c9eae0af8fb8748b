SELECT provider_keys_replace($1::text, $2::text::jsonb)
