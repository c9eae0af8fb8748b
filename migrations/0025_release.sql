-- The programs that may run on this schema, and a function for restored databases.

SET LOCAL ROLE rondo_owner;

-- One row, which the first migration of every release updates: README.md, "Releases".
CREATE TABLE schema_release (
    only_row boolean NOT NULL DEFAULT true CONSTRAINT schema_release_pkey PRIMARY KEY
        CONSTRAINT schema_release_only_row CHECK (only_row),
    -- The last release that changed the schema.
    release text NOT NULL,
    -- The last migration that a program has to know to run on this schema.
    runs_from bigint NOT NULL
);
GRANT SELECT ON schema_release TO PUBLIC;
INSERT INTO schema_release (release, runs_from) VALUES ('0.1.0', 25);

-- Makes every device start over after a restore. A device may have seen revisions that the backup lacks, and
-- would confuse them with new ones. So revisions continue higher by the gap, and earlier ones cannot be
-- continued.
CREATE FUNCTION revisions_restart(p_gap bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH restarted AS (UPDATE user_revisions SET revision = revision + p_gap RETURNING user_id, revision)
    INSERT INTO deletion_horizons (user_id, revision) SELECT user_id, revision FROM restarted
    ON CONFLICT ON CONSTRAINT deletion_horizons_pkey DO UPDATE SET revision = excluded.revision
$$;

RESET ROLE;
