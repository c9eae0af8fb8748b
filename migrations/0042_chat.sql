-- Chat: conversations of users with the assistant, and what a language model has cost.

SET LOCAL ROLE rondo_owner;

CREATE TABLE conversations (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT conversations_pkey PRIMARY KEY,
    user_id bigint NOT NULL,
    title text NOT NULL,
    -- The number of the last message.
    length bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX conversations_by_user ON conversations (user_id, updated_at, id);

CREATE TABLE messages (
    conversation_id bigint NOT NULL
        CONSTRAINT messages_conversation_fkey REFERENCES conversations ON DELETE CASCADE,
    -- From 1, without gaps but for messages that were too many.
    number bigint NOT NULL,
    role text NOT NULL CONSTRAINT messages_role_check CHECK (role IN ('user', 'assistant')),
    content text NOT NULL,
    -- What the assistant did, proposed and remembers, JSON; null for a message of the user.
    detail text,
    created_at timestamptz NOT NULL,
    CONSTRAINT messages_pkey PRIMARY KEY (conversation_id, number)
);

-- Tokens of a model that a user's turns have used on a day, UTC.
CREATE TABLE model_usage (
    user_id bigint NOT NULL,
    day date NOT NULL,
    tokens bigint NOT NULL,
    CONSTRAINT model_usage_pkey PRIMARY KEY (user_id, day)
);

-- A message as the component reads it.
CREATE FUNCTION message_json(m messages) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'number', (m).number, 'role', (m).role, 'content', (m).content, 'detail', (m).detail::json,
    'created_at', instant((m).created_at));

-- Begins a turn: keeps the user's message, and answers what the assistant needs. `p_conversation` 0 begins a
-- conversation with this title, for which the ones unused for longest make room; `p_max`: conversations of a user;
-- `p_length_max`: messages of a conversation; `p_history`: earlier messages in the answer, a JSON array.
-- Outcomes: begun; not_found; no_user (nothing done).
CREATE FUNCTION chat_begin(p_user bigint, p_conversation bigint, p_title text, p_content text, p_max bigint,
                           p_length_max bigint, p_history bigint)
RETURNS TABLE (outcome text, conversation_id bigint, number bigint, history text, time_zone text, is_shared boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    account users;
    at timestamptz := clock_timestamp();
    conversation conversations;
    before text;
BEGIN
    -- Turns of a user that begin conversations count one after the other.
    SELECT * INTO account FROM users u WHERE u.id = p_user FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'no_user', 0::bigint, 0::bigint, NULL::text, NULL::text, false;
        RETURN;
    ELSIF p_conversation = 0 THEN
        DELETE FROM conversations c WHERE c.id IN (
            SELECT o.id FROM conversations o WHERE o.user_id = p_user
            ORDER BY o.updated_at DESC, o.id DESC OFFSET p_max - 1);
        INSERT INTO conversations (user_id, title, length, created_at, updated_at)
        VALUES (p_user, p_title, 1, at, at)
        RETURNING * INTO conversation;
    ELSE
        UPDATE conversations c SET length = c.length + 1, updated_at = at
        WHERE c.id = p_conversation AND c.user_id = p_user
        RETURNING * INTO conversation;
        IF NOT FOUND THEN
            RETURN QUERY SELECT 'not_found', 0::bigint, 0::bigint, NULL::text, NULL::text, false;
            RETURN;
        END IF;
        SELECT json_agg(message_json(m) ORDER BY m.number)::text INTO before FROM messages m
        WHERE m.conversation_id = conversation.id AND m.number >= conversation.length - p_history;
        DELETE FROM messages m
        WHERE m.conversation_id = conversation.id AND m.number <= conversation.length - p_length_max;
    END IF;
    INSERT INTO messages (conversation_id, number, role, content, created_at)
    VALUES (conversation.id, conversation.length, 'user', p_content, at);
    RETURN QUERY SELECT 'begun', conversation.id, conversation.length, coalesce(before, '[]'), account.time_zone,
                        account.share_with_model;
END $$;

-- Ends a turn: keeps the assistant's message. Outcomes: kept; not_found (the conversation was deleted meanwhile).
CREATE FUNCTION chat_end(p_user bigint, p_conversation bigint, p_content text, p_detail text)
RETURNS TABLE (outcome text, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := clock_timestamp();
    next bigint;
    kept messages;
BEGIN
    UPDATE conversations c SET length = c.length + 1, updated_at = at
    WHERE c.id = p_conversation AND c.user_id = p_user
    RETURNING c.length INTO next;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'not_found', NULL::text;
        RETURN;
    END IF;
    INSERT INTO messages (conversation_id, number, role, content, detail, created_at)
    VALUES (p_conversation, next, 'assistant', p_content, p_detail, at)
    RETURNING * INTO kept;
    RETURN QUERY SELECT 'kept', message_json(kept)::text;
END $$;

-- Deletes a conversation with its messages. Outcomes: deleted; not_found.
CREATE FUNCTION conversation_delete(p_user bigint, p_id bigint) RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM conversations c WHERE c.id = p_id AND c.user_id = p_user;
    RETURN QUERY SELECT CASE WHEN FOUND THEN 'deleted' ELSE 'not_found' END;
END $$;

-- Counts tokens of a model: before a request as many as it may use, after it the difference to what it used. `p_max`:
-- tokens of a user on a day; null counts in any case. Outcomes: counted; used_up (nothing done).
CREATE FUNCTION model_usage_add(p_user bigint, p_tokens bigint, p_max bigint) RETURNS TABLE (outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
BEGIN
    INSERT INTO model_usage AS m (user_id, day, tokens) VALUES (p_user, today, 0)
    ON CONFLICT ON CONSTRAINT model_usage_pkey DO NOTHING;
    -- Only the limit of a day needs the rows.
    DELETE FROM model_usage m WHERE m.user_id = p_user AND m.day < today;
    UPDATE model_usage m SET tokens = greatest(m.tokens + p_tokens, 0)
    WHERE m.user_id = p_user AND m.day = today AND (p_max IS NULL OR m.tokens + p_tokens <= p_max);
    RETURN QUERY SELECT CASE WHEN FOUND THEN 'counted' ELSE 'used_up' END;
END $$;

-- The component runs the code of task-api and reads the audit log, as that of assistants does.
DO $$
DECLARE
    granted text;
BEGIN
    FOR granted IN
        SELECT format('GRANT SELECT ON %s TO rondo_chat', c.oid::regclass)
        FROM pg_class c, aclexplode(c.relacl) a
        WHERE a.grantee = 'rondo_mcp'::regrole AND a.privilege_type = 'SELECT'
        UNION ALL
        SELECT format('GRANT SELECT (%I) ON %s TO rondo_chat', t.attname, t.attrelid::regclass)
        FROM pg_attribute t, aclexplode(t.attacl) a
        WHERE a.grantee = 'rondo_mcp'::regrole AND a.privilege_type = 'SELECT'
        UNION ALL
        SELECT format('GRANT EXECUTE ON FUNCTION %s TO rondo_chat', p.oid::regprocedure)
        FROM pg_proc p, aclexplode(p.proacl) a
        WHERE a.grantee = 'rondo_mcp'::regrole
    LOOP
        EXECUTE granted;
    END LOOP;
END $$;
GRANT SELECT ON conversations, messages TO rondo_chat;
GRANT EXECUTE ON FUNCTION message_json, chat_begin, chat_end, conversation_delete, model_usage_add TO rondo_chat;

RESET ROLE;
