-- Rondo's roles ($1 their names) as the server has them, with the connections that each has open.
SELECT r.rolname::text AS name,
       r.rolconnlimit AS connections_max,
       r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls AS has_powers,
       coalesce('statement_timeout=' || $2 = ANY (r.rolconfig), false) AS is_bounded,
       (SELECT count(*) FROM pg_stat_activity a WHERE a.usesysid = r.oid) AS connections
FROM pg_roles r WHERE r.rolname = $1
