-- The server that this session is on.
SELECT current_setting('server_version') AS version,
       current_setting('server_version_num')::int AS number,
       coalesce((SELECT s.ssl FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()), false) AS is_tls,
       (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms
