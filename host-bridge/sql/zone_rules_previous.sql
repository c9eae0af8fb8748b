-- The rules of the zones in the latest recorded version before this one, and whether this one is recorded.
-- $1 version
SELECT EXISTS (SELECT FROM zone_rules WHERE version = $1::text) AS is_recorded, previous.version,
       coalesce(array_agg(z.zone) FILTER (WHERE z.zone IS NOT NULL), '{}') AS zones,
       coalesce(array_agg(z.rules) FILTER (WHERE z.zone IS NOT NULL), '{}') AS rules
FROM (SELECT max(version) AS version FROM zone_rules WHERE version < $1::text) AS previous
LEFT JOIN zone_rules z ON z.version = previous.version
GROUP BY previous.version
