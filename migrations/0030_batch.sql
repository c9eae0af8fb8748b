-- Several changes in one request.

SET LOCAL ROLE rondo_owner;

-- Locks the user's row, and looks up the answer kept for the idempotency key. Outcomes: null if there is none;
-- replayed, key_reused; no_user.
CREATE FUNCTION batch_begin(p_user bigint, p_request text, p_key text, p_hash text)
RETURNS TABLE (outcome text, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    begun record;
BEGIN
    begun := write_begin(p_user, 0, p_request, p_key, p_hash);
    RETURN QUERY SELECT begun.outcome, begun.answer;
END $$;

-- Keeps the answer of a batch.
CREATE FUNCTION batch_keep(p_user bigint, p_request text, p_key text, p_hash text, p_answer text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM keep_answer(p_user, p_request, p_key, p_hash, 200, p_answer, clock_timestamp());
    RETURN true;
END $$;

GRANT EXECUTE ON FUNCTION batch_begin, batch_keep TO rondo_task_api;

RESET ROLE;
