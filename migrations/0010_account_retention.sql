-- Retention of accounts' expired rows.

SET LOCAL ROLE rondo_owner;

-- Deletes what has expired, and mails older than p_mail_days; returns the number of rows.
CREATE FUNCTION accounts_retain(p_mail_days integer, p_limit integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH throttle AS (
        DELETE FROM throttles WHERE key IN (
            SELECT key FROM throttles WHERE ends_at < clock_timestamp()
            ORDER BY ends_at LIMIT p_limit FOR UPDATE SKIP LOCKED)
        RETURNING 1
    ), token AS (
        DELETE FROM mailed_tokens WHERE token_hash IN (
            SELECT token_hash FROM mailed_tokens WHERE expires_at < clock_timestamp()
            ORDER BY expires_at LIMIT p_limit)
        RETURNING 1
    ), invitation AS (
        DELETE FROM invitations WHERE token_hash IN (
            SELECT token_hash FROM invitations WHERE expires_at < clock_timestamp()
            ORDER BY expires_at LIMIT p_limit)
        RETURNING 1
    ), mail AS (
        DELETE FROM account_mails WHERE id IN (
            SELECT id FROM account_mails
            WHERE created_at < clock_timestamp() - p_mail_days * interval '1 day' AND status <> 'pending'
            ORDER BY created_at LIMIT p_limit)
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM throttle) + (SELECT count(*) FROM token)
           + (SELECT count(*) FROM invitation) + (SELECT count(*) FROM mail)
$$;

GRANT EXECUTE ON FUNCTION accounts_retain TO rondo_bridge;

RESET ROLE;
