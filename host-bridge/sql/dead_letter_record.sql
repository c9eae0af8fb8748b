SELECT dead_letter_record($1::text, $2::bigint, $3::text, $4::integer, $5::text, $6::text, $7::text, $8::integer,
                          $9::bigint, $10::text, $11::jsonb, $12::text, $13::boolean, $14::text)
