-- The tables. What each is for stands beside it; who may touch it is in the grants of V0005.

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO rondo_owner;
SET LOCAL ROLE rondo_owner;

-- The global form: the form with IN SCHEMA only adds to the built-in default and revokes nothing.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT users_pkey PRIMARY KEY,
    -- None for a user of an OpenID provider who told no address of their own.
    email text,
    -- The address in lower case: an account is found in any case.
    email_key text CONSTRAINT users_email_taken UNIQUE,
    -- None for a user who logs in at an OpenID provider.
    password_hash text,
    name text,
    time_zone text NOT NULL DEFAULT 'UTC',
    email_verified_at timestamptz,
    notify_email boolean NOT NULL DEFAULT true,
    -- The local time of the daily digest; none without one.
    digest_at time,
    -- When the next digest is due; -infinity until the clock has calculated it.
    next_digest_at timestamptz,
    -- Scopes granted by an operator, beyond those that every account has.
    granted_scopes text[] NOT NULL DEFAULT '{}',
    -- Access tokens that were issued before do nothing that matters any more; none: all may.
    sessions_valid_from timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT users_email_has_key CHECK ((email IS NULL) = (email_key IS NULL)),
    CONSTRAINT users_mail_needs_address CHECK (email IS NOT NULL OR NOT notify_email)
);
CREATE INDEX users_by_next_digest ON users (next_digest_at) WHERE next_digest_at IS NOT NULL;

-- Refresh tokens, by hash. A family is one login; using a used token ends the family.
CREATE TABLE refresh_tokens (
    token_hash text NOT NULL CONSTRAINT refresh_tokens_pkey PRIMARY KEY,
    family uuid NOT NULL,
    user_id bigint NOT NULL CONSTRAINT refresh_tokens_user REFERENCES users ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_by_user ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);

-- One narrow row per user: its lock serialises the user's writes, its number orders them. Nothing
-- refers to it by a foreign key, or the clock and the writers would deadlock over it.
CREATE TABLE user_revisions (
    user_id bigint NOT NULL CONSTRAINT user_revisions_pkey PRIMARY KEY,
    revision bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- Low before urgent; null for none.
CREATE FUNCTION priority_rank(priority text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE priority WHEN 'low' THEN 1 WHEN 'medium' THEN 2 WHEN 'high' THEN 3 WHEN 'urgent' THEN 4 END;

CREATE TABLE tasks (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT tasks_pkey PRIMARY KEY,
    user_id bigint NOT NULL,
    title text NOT NULL,
    description text,
    status text NOT NULL CONSTRAINT tasks_status CHECK (status IN ('pending', 'in_progress', 'completed')),
    priority text CONSTRAINT tasks_priority CHECK (priority IN ('low', 'medium', 'high', 'urgent')),
    tags text[] NOT NULL DEFAULT '{}',
    -- The same tags without case, in the same places: what they are told apart and filtered by.
    tag_keys text[] NOT NULL DEFAULT '{}',
    -- Title and description without case and accents, as a phrase is searched in; folded by the
    -- caller, so that no locale of a database has a say in it.
    search_text text NOT NULL DEFAULT '',
    -- The beginning of the folded title: what titles are sorted by.
    title_key text COLLATE "C" NOT NULL DEFAULT '',
    due_at timestamptz,
    time_zone text NOT NULL,
    -- ISO 8601, as it is answered.
    reminder_offset text,
    -- All members, as it is answered.
    recurrence_rule jsonb,
    parent_task_id bigint,
    -- The series, and the wall-clock slot in it, that this task is the occurrence of.
    series_id bigint,
    slot timestamp,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    completed_at timestamptz,
    revision bigint NOT NULL,
    -- The task as the API answers it, JSON. Kept, for a list is hardly anything else; no statement
    -- writes it, see task_represent.
    representation text NOT NULL,
    CONSTRAINT tasks_completed_at CHECK ((status = 'completed') = (completed_at IS NOT NULL))
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX tasks_by_revision ON tasks (user_id, revision);
CREATE INDEX tasks_by_created_at ON tasks (user_id, created_at, id);
CREATE INDEX tasks_by_updated_at ON tasks (user_id, updated_at, id);
CREATE INDEX tasks_by_due_at ON tasks (user_id, due_at, id);
CREATE INDEX tasks_by_title ON tasks (user_id, title_key, id);
CREATE INDEX tasks_by_priority ON tasks (user_id, priority_rank(priority), id);

-- Where a phrase may stand: keys of the pieces of a task's search_text, each with the user's id, so
-- that what a search reads is its user's own. A table of its own, since most changes of a task leave
-- its text alone, and would write all keys anew.
CREATE TABLE task_search (
    task_id bigint NOT NULL CONSTRAINT task_search_pkey PRIMARY KEY,
    keys bigint[] NOT NULL
);
-- Without a list of pending entries, which every search would have to read through, whoever's they are.
CREATE INDEX task_search_by_key ON task_search USING gin (keys) WITH (fastupdate = off);

-- Colours of tags, which may outlast the last task with the tag. Names are on the tasks.
CREATE TABLE tags (
    user_id bigint NOT NULL,
    -- The name without case.
    key text COLLATE "C" NOT NULL,
    name text NOT NULL,
    -- #rrggbb
    color text NOT NULL,
    CONSTRAINT tags_pkey PRIMARY KEY (user_id, key)
);

-- Tombstones: what a device that was away has to forget. Kept 90 days.
CREATE TABLE deletions (
    user_id bigint NOT NULL,
    revision bigint NOT NULL,
    task_id bigint NOT NULL,
    deleted_at timestamptz NOT NULL,
    CONSTRAINT deletions_pkey PRIMARY KEY (user_id, revision)
);
CREATE INDEX deletions_by_time ON deletions (deleted_at);

-- The highest revision whose tombstone has been forgotten: an older cursor cannot be continued.
CREATE TABLE deletion_horizons (
    user_id bigint NOT NULL CONSTRAINT deletion_horizons_pkey PRIMARY KEY,
    revision bigint NOT NULL
);

-- A rule with its anchor. Every occurrence is calculated from the anchor, never from a date that
-- was clamped or postponed.
CREATE TABLE series (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT series_pkey PRIMARY KEY,
    user_id bigint NOT NULL,
    first_task_id bigint NOT NULL,
    recurrence_rule jsonb NOT NULL,
    anchor timestamp NOT NULL,
    time_zone text NOT NULL,
    created_at timestamptz NOT NULL,
    -- When its user ended it: none of its occurrences has a successor any more. A series that ran
    -- out has none; its end is a row of occurrences, which reopening withdraws.
    ended_at timestamptz,
    -- The series that this one goes on from, when an edit was meant for an occurrence and those
    -- after it.
    previous_series_id bigint
);
CREATE INDEX series_by_user ON series (user_id);

-- What has become of each slot. A row outlives its task, so that no race, replay or deletion makes
-- a second successor; the end of a series is a row too.
CREATE TABLE occurrences (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT occurrences_pkey PRIMARY KEY,
    series_id bigint NOT NULL,
    user_id bigint NOT NULL,
    -- The task that is this occurrence; none for a skipped slot and for the end.
    task_id bigint,
    -- The occurrence that this one follows; none for the first and for skipped slots.
    predecessor_task_id bigint,
    -- Wall-clock time in the series' zone: instants would merge across a DST gap.
    slot timestamp,
    -- Whether the slot is unique in its series: on schedule it is, after completions it need not be.
    scheduled boolean NOT NULL,
    state text NOT NULL CONSTRAINT occurrences_state CHECK (state IN ('live', 'withdrawn', 'skipped', 'ended')),
    -- Revision that made the task: while the task still has it, nobody has changed it.
    created_revision bigint,
    -- The task as it was when its user deleted just this occurrence, so that the series can go on.
    deleted_task jsonb,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX occurrences_predecessor_taken ON occurrences (predecessor_task_id);
CREATE UNIQUE INDEX occurrences_slot_taken ON occurrences (series_id, slot) WHERE scheduled AND state <> 'withdrawn';
CREATE INDEX occurrences_by_task ON occurrences (task_id);
-- To count those of a series that follows completions.
CREATE INDEX occurrences_unscheduled ON occurrences (series_id) WHERE NOT scheduled AND state = 'live';

CREATE TABLE reminders (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT reminders_pkey PRIMARY KEY,
    user_id bigint NOT NULL,
    task_id bigint NOT NULL,
    -- 'task': from the task's own reminder_offset, at most one; 'further': added beside it.
    kind text NOT NULL CONSTRAINT reminders_kind CHECK (kind IN ('task', 'further')),
    -- How long before the due date, ISO 8601; none for a further one at a moment of its own.
    before_due text,
    -- The moment that the task or the caller has set; none while there is no due date to count from.
    planned_at timestamptz,
    -- When it fires: the planned moment, or the one that it was snoozed to.
    remind_at timestamptz NOT NULL,
    state text NOT NULL CONSTRAINT reminders_state CHECK (state IN ('armed', 'fired', 'cancelled')),
    -- Since when it waits for this moment, which may be later than the moment: that is no lateness.
    armed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- How often it has come due.
    firing integer NOT NULL DEFAULT 0,
    -- Trace context of the request that armed it, so that the mail can be traced back to it.
    traceparent text,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX reminders_task_has_one ON reminders (task_id) WHERE kind = 'task';
CREATE INDEX reminders_of_task ON reminders (task_id);
CREATE INDEX reminders_by_user ON reminders (user_id, remind_at, id);
CREATE INDEX reminders_due ON reminders (remind_at) WHERE state = 'armed';

-- Events on their way: written in the transaction that made them true, deleted by the relay after
-- the transport has taken them over. One row per event, whatever topics carry it.
CREATE TABLE outbox (
    -- Numbers are given under the user's lock, so they ascend in commit order for each user, but
    -- not across users: a cursor over them would lose rows.
    id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) CONSTRAINT outbox_pkey PRIMARY KEY,
    -- 0 to 63 by hash of the user: each shard is relayed by one relay at a time.
    shard smallint NOT NULL GENERATED ALWAYS AS ((hashint8extended(user_id, 0) & 63)::smallint) STORED,
    event_id uuid NOT NULL,
    event_type text NOT NULL,
    user_id bigint NOT NULL,
    -- None for an event that is about no task.
    task_id bigint,
    occurred_at timestamptz NOT NULL,
    traceparent text,
    -- The value, JSON.
    payload text NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0,
        autovacuum_analyze_threshold = 20000);
CREATE INDEX outbox_by_shard ON outbox (shard, id);

CREATE TABLE idempotency_keys (
    user_id bigint NOT NULL,
    -- Method and path.
    request text NOT NULL,
    key text NOT NULL,
    body_hash text NOT NULL,
    status integer NOT NULL,
    -- The task, or null where the answer has none.
    answer text,
    created_at timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, request, key)
);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);

CREATE TABLE audit_logs (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_logs_pkey PRIMARY KEY,
    event_id uuid NOT NULL CONSTRAINT audit_logs_event_once UNIQUE,
    action_type text NOT NULL,
    user_id bigint,
    task_id bigint,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    topic text NOT NULL,
    payload jsonb NOT NULL
);
CREATE INDEX audit_logs_by_user ON audit_logs (user_id, id);
CREATE INDEX audit_logs_by_time ON audit_logs (recorded_at);

-- One row per reminder, firing and channel, and one per digest: what was to be said, and what became
-- of it. What a mail said is forgotten with its outcome, for its links can change tasks.
CREATE TABLE notifications (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT notifications_pkey PRIMARY KEY,
    user_id bigint NOT NULL,
    -- None of a digest.
    task_id bigint,
    reminder_id bigint,
    firing integer,
    -- The user's local day that a digest is of.
    digest_day date,
    channel text NOT NULL CONSTRAINT notifications_channel CHECK (channel IN ('email')),
    status text NOT NULL
        CONSTRAINT notifications_status CHECK (status IN ('pending', 'sent', 'failed', 'cancelled', 'missed')),
    attempts integer NOT NULL DEFAULT 0,
    last_error text,
    subject text,
    body_text text,
    body_html text,
    -- The link to get no more mail, for the header that names it.
    unsubscribe_url text,
    -- What the mail was rendered from: the task's revision and due date, and when its reminder fired.
    task_revision bigint,
    due_at timestamptz,
    remind_at timestamptz,
    -- Of a missed one: the digest that has named it.
    told_in bigint,
    traceparent text,
    created_at timestamptz NOT NULL,
    next_attempt_at timestamptz,
    sent_at timestamptz,
    CONSTRAINT notifications_once UNIQUE (reminder_id, firing, channel),
    CONSTRAINT notifications_digest_once UNIQUE (user_id, digest_day, channel),
    CONSTRAINT notifications_about CHECK ((digest_day IS NULL) = (reminder_id IS NOT NULL))
);
CREATE INDEX notifications_missed ON notifications (user_id, id) WHERE status = 'missed' AND told_in IS NULL;
CREATE INDEX notifications_to_send ON notifications (next_attempt_at) WHERE status = 'pending';
CREATE INDEX notifications_by_user ON notifications (user_id, id);

-- Events that a consumer could not handle.
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
    -- None on the local transport.
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

-- Which transport the events of this database travel by: one row.
CREATE TABLE transport (
    only_row boolean NOT NULL DEFAULT true CONSTRAINT transport_pkey PRIMARY KEY
        CONSTRAINT transport_only_row CHECK (only_row),
    name text NOT NULL CONSTRAINT transport_name CHECK (name IN ('local', 'kafka')),
    since timestamptz NOT NULL
);

RESET ROLE;
