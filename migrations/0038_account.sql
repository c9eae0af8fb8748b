-- Accounts, with the settings that this release adds.

SET LOCAL ROLE rondo_owner;

-- Whether the language model that the installation uses may read the user's tasks.
ALTER TABLE users ADD COLUMN share_with_model boolean NOT NULL DEFAULT false;

-- An account as the API answers it.
CREATE OR REPLACE FUNCTION account_json(u users) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', (u).id, 'email', (u).email, 'email_verified', (u).email_verified_at IS NOT NULL,
    'name', (u).name, 'time_zone', (u).time_zone,
    'day_reminder_time', to_char((u).day_reminder_time, 'HH24:MI'), 'complete_subtasks', (u).complete_subtasks,
    'share_with_model', (u).share_with_model,
    'notifications', json_build_object('email', (u).notify_email,
                                       'digest_at', to_char((u).digest_at, 'HH24:MI')));

-- Changes the members that p_changes has: name, time_zone, day_reminder_time, complete_subtasks, share_with_model,
-- notify_email, digest_at. Outcomes: changed; no_address (mail is wanted, but there is no address); no_user.
CREATE OR REPLACE FUNCTION account_change(p_user bigint, p_changes jsonb)
RETURNS TABLE (outcome text, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    changed users;
BEGIN
    IF (p_changes->>'notify_email')::boolean
       AND EXISTS (SELECT FROM users WHERE id = p_user AND email IS NULL) THEN
        RETURN QUERY SELECT 'no_address', NULL::text;
        RETURN;
    END IF;
    UPDATE users SET
        name = CASE WHEN p_changes ? 'name' THEN p_changes->>'name' ELSE name END,
        time_zone = coalesce(p_changes->>'time_zone', time_zone),
        day_reminders_differ = day_reminders_differ
            OR coalesce((p_changes->>'day_reminder_time')::time <> day_reminder_time, false),
        day_reminder_time = coalesce((p_changes->>'day_reminder_time')::time, day_reminder_time),
        complete_subtasks = coalesce((p_changes->>'complete_subtasks')::boolean, complete_subtasks),
        share_with_model = coalesce((p_changes->>'share_with_model')::boolean, share_with_model),
        notify_email = coalesce((p_changes->>'notify_email')::boolean, notify_email),
        digest_at = CASE WHEN p_changes ? 'digest_at' THEN (p_changes->>'digest_at')::time ELSE digest_at END
    WHERE id = p_user
    RETURNING * INTO changed;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'no_user', NULL::text;
        RETURN;
    END IF;
    -- The clock recalculates the next digest.
    IF p_changes ?| ARRAY['digest_at', 'time_zone'] THEN
        UPDATE users SET next_digest_at = CASE WHEN digest_at IS NOT NULL THEN '-infinity'::timestamptz END
        WHERE id = p_user;
    END IF;
    RETURN QUERY SELECT 'changed', account_json(changed)::text;
END $$;

RESET ROLE;
