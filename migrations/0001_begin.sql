-- What one installation keeps. Three rules hold for every table that a message touches:
--   * nothing hot is updated in place: rows are inserted, and what is superseded is deleted in bulk behind the scenes,
--     since under one long reader the dead versions of a hot row make every access slower;
--   * the newest row is found from the end of an index, so that dead rows before it are never walked over;
--   * locks on several partitions are taken in one order: (topic, partition).
-- Keys are compared byte by byte ("C"): cheaper than by the rules of a language, and the same on every machine.

CREATE TABLE topics (
    id smallint PRIMARY KEY,
    name text NOT NULL UNIQUE,
    partitions int NOT NULL CHECK (partitions > 0)
);

-- --- the log -----------------------------------------------------------------------------------------------------

-- "offset" is at least (days since 1970) << 32: it grows, and one day is one table, which retention drops whole.
CREATE TABLE log (
    topic smallint NOT NULL,
    partition int NOT NULL,
    "offset" bigint NOT NULL,
    key text NOT NULL,
    type text NOT NULL,
    data bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, partition, "offset")
) PARTITION BY RANGE ("offset");

-- Makes the table of *day* unless it is there. Attaching, unlike creating in place, does not wait for readers.
CREATE FUNCTION log_ensure_day(p_day int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text := 'log_' || p_day;
BEGIN
    PERFORM pg_advisory_xact_lock(1651471204, 0);
    IF to_regclass(name) IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE log INCLUDING ALL)', name);
        EXECUTE format('ALTER TABLE log ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                       name, p_day::bigint << 32, (p_day + 1)::bigint << 32);
    END IF;
END $$;

-- Appends events and returns the last offset of each (topic, partition) before, 0 for none. The first new offset of a
-- group is greatest(that + 1, p_floor), the others follow without gaps.
--
-- A sequence would hand out offsets in the order of inserts, and a reader of "what is after n" would skip a late
-- commit. So they are handed out under a lock that is held to the commit: the order of offsets is the order of commits.
-- Each statement of a volatile function has a snapshot of its own (READ COMMITTED), so the probe, which runs after the
-- lock, sees what the one before us committed.
--
-- p_topics, p_partitions: the groups, in the order in which everybody locks. p_groups: the group of each event, from 1;
-- p_ranks: its place within the group, from 0. p_floor: today << 32.
CREATE FUNCTION log_append(
    p_topics smallint[], p_partitions int[], p_floor bigint,
    p_groups int[], p_ranks int[], p_keys text[], p_types text[], p_datas bytea[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    heads bigint[];
BEGIN
    IF cardinality(p_topics) = 0 THEN
        RETURN '{}';
    END IF;
    FOR i IN 1 .. cardinality(p_topics) LOOP
        PERFORM pg_advisory_xact_lock(1651470848 + p_topics[i], p_partitions[i]);
    END LOOP;
    -- Mostly the newest is of today or yesterday, and no other day needs a look.
    SELECT array_agg(newest."offset" ORDER BY g.n) INTO heads
    FROM unnest(p_topics, p_partitions) WITH ORDINALITY AS g (topic, partition, n)
    LEFT JOIN LATERAL (
        SELECT l."offset" FROM log AS l
        WHERE l.topic = g.topic AND l.partition = g.partition AND l."offset" >= p_floor - 4294967296
        ORDER BY l."offset" DESC LIMIT 1
    ) AS newest ON true;
    IF array_position(heads, NULL) IS NOT NULL THEN
        SELECT array_agg(coalesce(heads[g.n], newest."offset", 0) ORDER BY g.n) INTO heads
        FROM unnest(p_topics, p_partitions) WITH ORDINALITY AS g (topic, partition, n)
        LEFT JOIN LATERAL (
            SELECT l."offset" FROM log AS l
            WHERE l.topic = g.topic AND l.partition = g.partition
            ORDER BY l."offset" DESC LIMIT 1
        ) AS newest ON true;
    END IF;
    INSERT INTO log (topic, partition, "offset", key, type, data)
    SELECT p_topics[e.g], p_partitions[e.g], greatest(heads[e.g] + 1, p_floor) + e.rank, e.key, e.type, e.data
    FROM unnest(p_groups, p_ranks, p_keys, p_types, p_datas) AS e (g, rank, key, type, data);
    RETURN heads;
END $$;

-- --- positions and states ----------------------------------------------------------------------------------------

-- The position of a group is "end" of its newest row.
CREATE TABLE positions (
    grp text COLLATE "C" NOT NULL,
    topic smallint NOT NULL,
    partition int NOT NULL,
    "begin" bigint NOT NULL,
    "end" bigint NOT NULL,
    batch uuid NOT NULL,
    PRIMARY KEY (grp, topic, partition, "begin")
);

-- Moves one position from p_begin to p_end if it still is at p_begin; without any row it is at 0, or, if p_anywhere,
-- wherever the caller began. A p_begin of null moves it from wherever it is, but never back. The lock is what makes look-and-insert one step, even if a sweep deletes in between.
CREATE FUNCTION position_move(
    p_group text, p_topic smallint, p_partition int, p_begin bigint, p_end bigint, p_batch uuid, p_anywhere boolean
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    reached bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(p_group, p_topic * 65536 + p_partition));
    SELECT p."end" INTO reached FROM positions AS p
    WHERE p.grp = p_group AND p.topic = p_topic AND p.partition = p_partition
    ORDER BY p."begin" DESC LIMIT 1;
    IF NOT FOUND THEN
        reached := CASE WHEN p_anywhere THEN coalesce(p_begin, 0) ELSE 0 END;
    END IF;
    IF reached <> p_begin THEN
        RETURN false;
    END IF;
    IF p_end > reached THEN
        INSERT INTO positions (grp, topic, partition, "begin", "end", batch)
        VALUES (p_group, p_topic, p_partition, reached, p_end, p_batch);
    END IF;
    RETURN true;
END $$;

-- The state of (actor, key) is its newest version.
CREATE TABLE states (
    actor text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (actor, key, version)
);

-- Positions and states of a batch of turns; true, or the error BW001 with the partition as its detail, when another
-- owner has gone on. A state whose value is null is deleted, all its versions.
CREATE FUNCTION turns_apply(
    p_actor text, p_topic smallint, p_batch uuid, p_partitions int[], p_begins bigint[], p_ends bigint[],
    p_keys text[], p_versions bigint[], p_values bytea[]
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. cardinality(p_partitions) LOOP
        IF NOT position_move(p_actor, p_topic, p_partitions[i], p_begins[i], p_ends[i], p_batch, false) THEN
            RAISE EXCEPTION 'another owner has gone on' USING ERRCODE = 'BW001', DETAIL = p_partitions[i]::text;
        END IF;
    END LOOP;
    INSERT INTO states (actor, key, version, value)
    SELECT p_actor, s.key, s.version, s.value
    FROM unnest(p_keys, p_versions, p_values) AS s (key, version, value)
    WHERE s.value IS NOT NULL;
    IF array_position(p_values, NULL) IS NOT NULL THEN
        DELETE FROM states AS s
        USING unnest(p_keys, p_versions, p_values) AS gone (key, version, value)
        WHERE gone.value IS NULL AND s.actor = p_actor AND s.key = gone.key AND s.version < gone.version;
    END IF;
    RETURN true;
END $$;

-- Where the log is elsewhere: events decided and committed, and not yet known to be there.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY,
    actor text COLLATE "C" NOT NULL,
    topic smallint NOT NULL,
    partition int NOT NULL,
    to_topic text NOT NULL,
    to_partition int NOT NULL,
    key text NOT NULL,
    type text NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (actor, topic, partition, id)
);

-- Keeps events in the outbox of the partitions they were decided on; returns their ids, in order.
CREATE FUNCTION outbox_append(
    p_actor text, p_topic smallint, p_partitions int[],
    p_to_topics text[], p_to_partitions int[], p_keys text[], p_types text[], p_datas bytea[]
) RETURNS bigint[] LANGUAGE sql AS $$
    WITH kept AS (
        INSERT INTO outbox (actor, topic, partition, to_topic, to_partition, key, type, data)
        SELECT p_actor, p_topic, e.partition, e.to_topic, e.to_partition, e.key, e.type, e.data
        FROM unnest(p_partitions, p_to_topics, p_to_partitions, p_keys, p_types, p_datas) WITH ORDINALITY
            AS e (partition, to_topic, to_partition, key, type, data, n)
        ORDER BY e.n
        RETURNING id
    )
    SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM kept
$$;

-- One row a try, written before it.
CREATE TABLE attempts (
    grp text COLLATE "C" NOT NULL,
    topic smallint NOT NULL,
    partition int NOT NULL,
    "offset" bigint NOT NULL,
    n int NOT NULL,
    PRIMARY KEY (grp, topic, partition, "offset", n)
);

CREATE TABLE dead_letters (
    id uuid PRIMARY KEY,
    grp text NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    "offset" bigint NOT NULL,
    key text NOT NULL,
    type text NOT NULL,
    data bytea NOT NULL,
    reason text NOT NULL,
    traceback text NOT NULL,
    at timestamptz NOT NULL,
    fate text NOT NULL DEFAULT 'waiting' CHECK (fate IN ('waiting', 'redriven', 'discarded')),
    settled_at timestamptz
);
CREATE INDEX dead_letters_waiting ON dead_letters (at, id) WHERE fate = 'waiting';

-- What turns asked the database and were told: a replay reads it here.
CREATE TABLE turn_queries (
    actor text COLLATE "C" NOT NULL,
    topic smallint NOT NULL,
    partition int NOT NULL,
    "offset" bigint NOT NULL,
    index int NOT NULL,
    asked bytea NOT NULL,
    rows bytea NOT NULL,
    PRIMARY KEY (actor, topic, partition, "offset", index)
);

-- --- who owns which partition ------------------------------------------------------------------------------------

-- A running process. It lives as long as its session holds the advisory lock (1651470957, id) and "until" is to come:
-- a killed process is known at once, a hung one when its time is up.
CREATE TABLE members (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    until timestamptz NOT NULL
);

CREATE TABLE subscribers (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    member int NOT NULL,
    grp text NOT NULL,
    topic smallint NOT NULL
);

CREATE VIEW living_subscribers AS
SELECT s.id, s.member, s.grp, s.topic
FROM subscribers AS s
JOIN members AS m ON m.id = s.member
WHERE m.until > clock_timestamp() AND m.id IN (
    SELECT l.objid::bigint FROM pg_locks AS l
    WHERE l.locktype = 'advisory' AND l.classid = 1651470957 AND l.objsubid = 2 AND l.granted
      AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
);

-- "clean" says how the last owner let go; while there is one it is false.
CREATE TABLE leases (
    grp text COLLATE "C" NOT NULL,
    topic smallint NOT NULL,
    partition int NOT NULL,
    owner int,
    clean boolean NOT NULL,
    PRIMARY KEY (grp, topic, partition)
);

-- Takes partitions that nobody living owns, until the subscriber has p_want.
CREATE FUNCTION leases_take(p_subscriber int, p_group text, p_topic smallint, p_partitions int, p_want int)
RETURNS TABLE (taken_partition int, was_clean boolean) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1651470956, p_topic);
    RETURN QUERY
    WITH free AS MATERIALIZED (
        SELECT all_of_them.partition, coalesce(l.clean, true) AS clean
        FROM generate_series(0, p_partitions - 1) AS all_of_them (partition)
        LEFT JOIN leases AS l ON l.grp = p_group AND l.topic = p_topic AND l.partition = all_of_them.partition
        WHERE l.owner IS NULL OR l.owner NOT IN (SELECT s.id FROM living_subscribers AS s)
        ORDER BY all_of_them.partition
        LIMIT greatest(0, p_want - (
            SELECT count(*) FROM leases AS mine
            WHERE mine.grp = p_group AND mine.topic = p_topic AND mine.owner = p_subscriber
        ))
    ), taken AS (
        INSERT INTO leases AS l (grp, topic, partition, owner, clean)
        SELECT p_group, p_topic, free.partition, p_subscriber, false FROM free
        ON CONFLICT (grp, topic, partition) DO UPDATE SET owner = excluded.owner, clean = false
        RETURNING l.partition
    )
    SELECT free.partition, free.clean FROM free JOIN taken ON taken.partition = free.partition;
END $$;

-- --- what actors keep besides their state --------------------------------------------------------------------------

CREATE TABLE messages (
    session uuid NOT NULL,
    seq bigint NOT NULL,
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (session, seq)
);

CREATE TABLE conversations (
    id uuid PRIMARY KEY,
    bot text NOT NULL,
    channel text NOT NULL,
    person text NOT NULL,
    opened_at timestamptz NOT NULL
);
CREATE INDEX conversations_newest ON conversations (opened_at DESC, id DESC);

-- due_at is 'infinity' for a timer that was dropped; such rows are swept.
CREATE TABLE timers (
    partition int NOT NULL,
    key text COLLATE "C" NOT NULL,
    reply_to text COLLATE "C" NOT NULL,
    timer text COLLATE "C" NOT NULL,
    due_at timestamptz NOT NULL,
    request bytea NOT NULL,
    PRIMARY KEY (partition, key, reply_to, timer)
);
CREATE INDEX timers_due ON timers (partition, due_at);
CREATE INDEX timers_dropped ON timers (partition) WHERE due_at = 'infinity';

CREATE TABLE bot_memory (
    bot text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    value bytea,
    PRIMARY KEY (bot, name)
);

CREATE TABLE user_memory (
    bot text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    value bytea,
    PRIMARY KEY (bot, person, name)
);

-- --- bots ----------------------------------------------------------------------------------------------------------

CREATE TABLE resources (
    digest text COLLATE "C" PRIMARY KEY,
    data bytea NOT NULL
);

CREATE TABLE bots (
    name text COLLATE "C" PRIMARY KEY,
    version text NOT NULL,
    published_at timestamptz NOT NULL
);

CREATE TABLE bot_versions (
    name text COLLATE "C" NOT NULL,
    n int NOT NULL,
    version text NOT NULL,
    published_at timestamptz NOT NULL,
    PRIMARY KEY (name, n)
);

CREATE TABLE secrets (
    name text PRIMARY KEY,
    value bytea NOT NULL
);
