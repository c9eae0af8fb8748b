-- Throttles, which limit the attempts in a window of time.

SET LOCAL ROLE rondo_owner;

-- Attempts in the window that ends at `ends_at`.
CREATE TABLE throttles (
    key text NOT NULL CONSTRAINT throttles_pkey PRIMARY KEY,
    hits bigint NOT NULL,
    ends_at timestamptz NOT NULL
);
CREATE INDEX throttles_by_end ON throttles (ends_at);

-- Counts one of the p_limit attempts of a window. Returns 0, or the seconds until the window ends if none is
-- left. A null key counts nothing.
CREATE FUNCTION throttle_hit(p_key text, p_limit bigint, p_window_s bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := clock_timestamp();
    until timestamptz;
BEGIN
    IF p_key IS NULL THEN
        RETURN 0;
    END IF;
    INSERT INTO throttles AS t (key, hits, ends_at)
    VALUES (p_key, 1, at + p_window_s * interval '1 second')
    ON CONFLICT ON CONSTRAINT throttles_pkey DO UPDATE
    SET hits = CASE WHEN t.ends_at <= at THEN 1 ELSE t.hits + 1 END,
        ends_at = CASE WHEN t.ends_at <= at THEN excluded.ends_at ELSE t.ends_at END
    WHERE t.ends_at <= at OR t.hits < p_limit;
    IF FOUND THEN
        RETURN 0;
    END IF;
    SELECT ends_at INTO until FROM throttles WHERE key = p_key;
    RETURN greatest(1, ceil(extract(epoch FROM until - at)))::bigint;
END $$;

-- Gives an attempt back.
CREATE FUNCTION throttle_give_back(p_key text) RETURNS void
LANGUAGE sql AS $$
    UPDATE throttles SET hits = greatest(hits - 1, 0) WHERE key = p_key
$$;

RESET ROLE;
