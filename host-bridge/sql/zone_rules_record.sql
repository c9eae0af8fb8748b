SELECT zone_rules_record($1::text, $2::text[], $3::bytea[])
