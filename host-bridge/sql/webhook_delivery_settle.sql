SELECT webhook_delivery_settle($1::bigint, $2::integer, $3::text, $4::boolean, $5::integer, $6::text, $7::text,
                               $8::bigint, $9::bigint, $10::text::jsonb)
