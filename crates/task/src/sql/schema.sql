-- Whether the schema exists.
SELECT to_regclass('public.tasks') IS NOT NULL AS is_known
