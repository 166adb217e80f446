-- name: transcript
SELECT body FROM messages WHERE session = $1::uuid AND seq > $2::bigint ORDER BY seq LIMIT $3

-- name: transcript.newest
SELECT seq FROM messages WHERE session = $1::uuid ORDER BY seq DESC LIMIT 1

-- name: conversations
-- Newest first, from a cursor (opened_at, id) on; of one bot or, if $1 is null, of all.
SELECT c.id, c.bot, c.channel, c.person, c.opened_at, m.seq, m.at
FROM (
    SELECT * FROM conversations
    WHERE ($1::text IS NULL OR bot = $1) AND (opened_at, id) < ($2::timestamptz, $3::uuid)
    ORDER BY opened_at DESC, id DESC LIMIT $4
) AS c
LEFT JOIN LATERAL (
    SELECT x.seq, x.at FROM messages AS x WHERE x.session = c.id ORDER BY x.seq DESC LIMIT 1
) AS m ON true
ORDER BY c.opened_at DESC, c.id DESC

-- name: bots
SELECT name, version, published_at FROM bots WHERE name > $1::text ORDER BY name LIMIT $2

-- name: bot
SELECT name, version, published_at FROM bots WHERE name = $1::text

-- name: bot.versions
SELECT version, published_at FROM bot_versions WHERE name = $1::text ORDER BY n DESC LIMIT $2

-- name: bot.publish
-- True if that was a new version.
WITH lock AS MATERIALIZED (SELECT pg_advisory_xact_lock(1651471204, 2)),
current AS MATERIALIZED (SELECT b.version FROM lock LEFT JOIN bots AS b ON b.name = $1::text),
kept AS (
    INSERT INTO resources (digest, data) VALUES ($2::text, $3::bytea) ON CONFLICT (digest) DO NOTHING
), published AS (
    INSERT INTO bots (name, version, published_at)
    SELECT $1::text, $2::text, $4::timestamptz FROM current WHERE current.version IS DISTINCT FROM $2::text
    ON CONFLICT (name) DO UPDATE SET version = excluded.version, published_at = excluded.published_at
    RETURNING name
), noted AS (
    INSERT INTO bot_versions (name, n, version, published_at)
    SELECT p.name, (SELECT coalesce(max(v.n), 0) + 1 FROM bot_versions AS v WHERE v.name = p.name),
           $2::text, $4::timestamptz
    FROM published AS p
)
SELECT count(*) > 0 FROM published

-- name: resource
SELECT data FROM resources WHERE digest = $1::text

-- name: resource.keep
INSERT INTO resources (digest, data) VALUES ($1::text, $2::bytea) ON CONFLICT (digest) DO NOTHING

-- name: dead_letters
-- Those that wait, oldest first, after the letter $1.
SELECT d.id, d.grp, d.topic, d.partition, d."offset", d.key, d.type, d.data, d.reason, d.traceback, d.at
FROM dead_letters AS d
WHERE d.fate = 'waiting'
  AND ($1::uuid IS NULL OR (d.at, d.id) > (SELECT x.at, x.id FROM dead_letters AS x WHERE x.id = $1))
ORDER BY d.at, d.id LIMIT $2

-- name: dead_letter
SELECT id, grp, topic, partition, "offset", key, type, data, reason, traceback, at
FROM dead_letters WHERE id = $1::uuid AND fate = 'waiting'

-- name: dead_letter.settle
UPDATE dead_letters SET fate = $2::text, settled_at = clock_timestamp()
WHERE id = $1::uuid AND fate = 'waiting' RETURNING id

-- name: topics.overview
SELECT t.name AS topic, p.partition, coalesce(h."offset", 0) AS head
FROM topics AS t
CROSS JOIN LATERAL generate_series(0, t.partitions - 1) AS p (partition)
LEFT JOIN LATERAL (
    SELECT x."offset" FROM log AS x WHERE x.topic = t.id AND x.partition = p.partition
    ORDER BY x."offset" DESC LIMIT 1
) AS h ON true
ORDER BY t.id, p.partition

-- name: groups.overview
-- The lag counts no further than $1: a log of millions must not be counted to be looked at.
SELECT l.grp, t.name AS topic, l.partition, coalesce(p."end", 0) AS position, l.owner,
       (SELECT count(*) FROM (
            SELECT 1 FROM log AS x
            WHERE x.topic = l.topic AND x.partition = l.partition AND x."offset" >= coalesce(p."end", 0) LIMIT $1
       ) AS unread) AS lag
FROM leases AS l
JOIN topics AS t ON t.id = l.topic
LEFT JOIN LATERAL (
    SELECT x."end" FROM positions AS x
    WHERE x.grp = l.grp AND x.topic = l.topic AND x.partition = l.partition ORDER BY x."begin" DESC LIMIT 1
) AS p ON true
ORDER BY l.grp, t.id, l.partition

-- name: secret.keep
INSERT INTO secrets (name, value) VALUES ($1::text, $2::bytea) ON CONFLICT (name) DO NOTHING

-- name: secret
SELECT value FROM secrets WHERE name = $1::text
