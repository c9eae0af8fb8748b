SELECT webhook_deliveries_retain($1::integer, $2::integer)
