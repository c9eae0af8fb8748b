-- $1 event ids, $2 types, $3 users, $4 times, $5 traceparents (null: none), $6 values, $7 number of days that
-- deliveries are kept
SELECT recorded
FROM webhook_deliveries_record($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int8)
