-- name: log.append
-- Returns the last offset of each (topic, partition) before.
SELECT log_append($1::text::smallint[], $2::text::int[], $3::bigint, $4::text::int[], $5::text::int[],
                  $6::text::text[], $7::text::text[], cut($8::bytea, $9::text::int[]))

-- name: log.read
-- Events from an offset on, of several partitions: at most $4 of each, and of each no more than $5 bytes but for the
-- first, so that a reader's memory is bounded.
SELECT w.topic, w.partition, l."offset", l.key, l.type, l.data
FROM unnest($1::smallint[], $2::int[], $3::bigint[]) AS w (topic, partition, start)
CROSS JOIN LATERAL (
    SELECT sized."offset", sized.key, sized.type, sized.data
    FROM (
        SELECT f."offset", f.key, f.type, f.data,
               sum(octet_length(f.data)) OVER (ORDER BY f."offset") - octet_length(f.data) AS before
        FROM (
            SELECT x."offset", x.key, x.type, x.data FROM log AS x
            WHERE x.topic = w.topic AND x.partition = w.partition AND x."offset" >= w.start
            ORDER BY x."offset" LIMIT $4
        ) AS f
    ) AS sized
    WHERE sized.before < $5::bigint
    ORDER BY sized."offset"
) AS l

-- name: log.heads
SELECT w.topic, w.partition, l."offset" AS head
FROM unnest($1::smallint[], $2::int[]) AS w (topic, partition)
CROSS JOIN LATERAL (
    SELECT x."offset" FROM log AS x
    WHERE x.topic = w.topic AND x.partition = w.partition
    ORDER BY x."offset" DESC LIMIT 1
) AS l

-- name: log.find
-- The offset of exactly these bytes after an offset.
SELECT "offset" FROM log
WHERE topic = $1::smallint AND partition = $2::int AND "offset" > $3::bigint AND key = $4::text AND data = $5::bytea
ORDER BY "offset" LIMIT 1

-- name: log.ensure_day
SELECT log_ensure_day($1::int)

-- name: log.days
SELECT substr(c.relname, 5)::int AS day
FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'log'::regclass ORDER BY day

-- name: turn_queries.sweep
-- What turns asked about events before the offset $1, some of it. Those who turn are the groups that have leases: with
-- their names each place is found by the primary key, which a walk over the whole table would not be.
WITH old AS MATERIALIZED (
    SELECT q.actor, q.topic, q.partition, q."offset", q.index
    FROM leases AS l
    CROSS JOIN LATERAL (
        SELECT x.actor, x.topic, x.partition, x."offset", x.index FROM turn_queries AS x
        WHERE x.actor = l.grp AND x.topic = l.topic AND x.partition = l.partition AND x."offset" < $1::bigint
        ORDER BY x."offset" LIMIT 500
    ) AS q
)
DELETE FROM turn_queries AS q USING old
WHERE q.actor = old.actor AND q.topic = old.topic AND q.partition = old.partition
  AND q."offset" = old."offset" AND q.index = old.index

-- name: topics.declare
-- The number of partitions is fixed when a topic is first made.
WITH lock AS MATERIALIZED (SELECT pg_advisory_xact_lock(1651471204, 1)),
known AS MATERIALIZED (SELECT coalesce(max(id), 0) AS last FROM topics, lock)
INSERT INTO topics (id, name, partitions)
SELECT known.last + row_number() OVER (ORDER BY t.n), t.name, t.partitions
FROM known, unnest($1::text[], $2::int[]) WITH ORDINALITY AS t (name, partitions, n)
WHERE t.name NOT IN (SELECT name FROM topics)
ON CONFLICT (name) DO NOTHING

-- name: topics.all
SELECT id, name, partitions FROM topics ORDER BY id
