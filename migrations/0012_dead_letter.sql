-- Dead letters: events that a consumer could not handle.

SET LOCAL ROLE rondo_owner;

-- One row per event and consumer.
CREATE TABLE dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT dead_letters_pkey PRIMARY KEY,
    event_id uuid NOT NULL,
    consumer text NOT NULL,
    state text NOT NULL
        CONSTRAINT dead_letters_state CHECK (state IN ('open', 'redriving', 'redriven', 'discarded')),
    attempts integer NOT NULL,
    error_code text NOT NULL,
    error_message text NOT NULL,
    topic text NOT NULL,
    -- Null on the local transport.
    partition integer,
    kafka_offset bigint,
    key text NOT NULL,
    headers jsonb NOT NULL,
    value text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT dead_letters_once UNIQUE (event_id, consumer)
);
CREATE INDEX dead_letters_to_redrive ON dead_letters (id) WHERE state = 'redriving';

-- Records an event that a consumer could not handle, and announces it once. A redriven one that fails again
-- becomes open again. `p_announce` is false for the dead letter of a dead letter.
CREATE FUNCTION dead_letter_record(p_event_id text, p_user bigint, p_consumer text, p_attempts integer,
                                   p_code text, p_message text, p_topic text, p_partition integer,
                                   p_offset bigint, p_key text, p_headers jsonb, p_value text,
                                   p_announce boolean, p_trace text)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    at timestamptz := clock_timestamp();
    recorded bigint;
    fresh boolean;
    announcement uuid := gen_random_uuid();
BEGIN
    INSERT INTO dead_letters AS d (event_id, consumer, state, attempts, error_code, error_message, topic,
                              partition, kafka_offset, key, headers, value, created_at, updated_at)
    VALUES (p_event_id::uuid, p_consumer, 'open', p_attempts, p_code, p_message, p_topic, p_partition,
            p_offset, p_key, p_headers, p_value, at, at)
    ON CONFLICT ON CONSTRAINT dead_letters_once DO UPDATE
    SET state = 'open', attempts = d.attempts + excluded.attempts, error_code = excluded.error_code,
        error_message = excluded.error_message, updated_at = at
    WHERE d.state <> 'discarded'
    RETURNING d.id, d.created_at = d.updated_at INTO recorded, fresh;
    IF fresh AND p_announce THEN
        INSERT INTO outbox (event_id, event_type, user_id, occurred_at, traceparent, payload)
        VALUES (announcement, 'event.dead_lettered', p_user, at, p_trace,
                event_value(announcement, 'event.dead_lettered', at,
                    ',"consumer":' || to_json(p_consumer) || ',"attempts":' || p_attempts
                    || ',"error":' || json_build_object('code', p_code, 'message', p_message)
                    || ',"original":' || json_build_object('topic', p_topic, 'partition', p_partition,
                        'offset', p_offset, 'key', p_key, 'headers', p_headers, 'value', p_value)));
    END IF;
    RETURN recorded;
END $$;

-- Moves a dead letter to a state: redriving (requested), redriven (done), discarded, open (failed again).
-- False if its current state does not allow that.
CREATE FUNCTION dead_letter_move(p_id bigint, p_state text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE dead_letters SET state = p_state, updated_at = clock_timestamp()
    WHERE id = p_id AND CASE p_state
        WHEN 'redriving' THEN state = 'open'
        WHEN 'discarded' THEN state = 'open'
        WHEN 'redriven' THEN state = 'redriving'
        WHEN 'open' THEN state = 'redriving'
        ELSE false END;
    RETURN FOUND;
END $$;

GRANT SELECT ON dead_letters TO rondo_bridge;
GRANT EXECUTE ON FUNCTION dead_letter_record, dead_letter_move TO rondo_bridge;

RESET ROLE;
