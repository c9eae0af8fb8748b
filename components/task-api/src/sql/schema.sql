-- Whether the schema is there.
SELECT to_regclass('public.tasks') IS NOT NULL AS is_known
