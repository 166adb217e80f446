-- name: states.load
SELECT k.key, s.version, s.value
FROM unnest($2::text[]) AS k (key)
CROSS JOIN LATERAL (
    SELECT x.version, x.value FROM states AS x
    WHERE x.actor = $1::text AND x.key = k.key
    ORDER BY x.version DESC LIMIT 1
) AS s

-- name: states.sweep
-- Superseded versions, in ranges: without the lower bound a sweep would walk over the dead rows of all sweeps before
-- it for as long as somebody holds a snapshot.
DELETE FROM states AS s
USING unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS old (actor, key, low, high)
WHERE s.actor = old.actor AND s.key = old.key AND s.version >= old.low AND s.version < old.high

-- name: states.forget
-- Some of what was forgotten before the day $1, with what it had superseded: an older version must not come back.
WITH old AS MATERIALIZED (
    SELECT actor, key, version FROM states WHERE forgotten_on < $1::int ORDER BY forgotten_on LIMIT 1000
)
DELETE FROM states AS s USING old
WHERE s.actor = old.actor AND s.key = old.key AND s.version <= old.version

-- name: positions.newest
SELECT w.partition, p."end" AS position, p.batch
FROM unnest($3::int[]) AS w (partition)
CROSS JOIN LATERAL (
    SELECT x."end", x.batch FROM positions AS x
    WHERE x.grp = $1::text AND x.topic = $2::smallint AND x.partition = w.partition
    ORDER BY x."begin" DESC LIMIT 1
) AS p

-- name: positions.move
SELECT m.partition, position_move($1::text, $2::smallint, m.partition, m."begin", m."end", $6::uuid, true) AS moved
FROM unnest($3::int[], $4::bigint[], $5::bigint[]) AS m (partition, "begin", "end")

-- name: positions.batch
-- Who moved a position from here, if anybody has.
SELECT batch FROM positions
WHERE grp = $1::text AND topic = $2::smallint AND partition = $3::int AND "begin" = $4::bigint

-- name: positions.sweep
DELETE FROM positions AS p
USING unnest($1::text[], $2::smallint[], $3::int[], $4::bigint[], $5::bigint[]) AS old (grp, topic, partition, low, high)
WHERE p.grp = old.grp AND p.topic = old.topic AND p.partition = old.partition
  AND p."begin" >= old.low AND p."begin" < old.high

-- name: attempts.sweep
DELETE FROM attempts AS a
USING unnest($1::text[], $2::smallint[], $3::int[], $4::bigint[]) AS done (grp, topic, partition, position)
WHERE a.grp = done.grp AND a.topic = done.topic AND a.partition = done.partition AND a."offset" < done.position

-- name: attempts.count
INSERT INTO attempts (grp, topic, partition, "offset", n)
SELECT $1::text, $2::smallint, $3::int, $4::bigint, coalesce(max(n), 0) + 1 FROM attempts
WHERE grp = $1::text AND topic = $2::smallint AND partition = $3::int AND "offset" = $4::bigint
RETURNING n

-- name: outbox.read
SELECT id, to_topic, to_partition, key, type, data FROM outbox
WHERE actor = $1::text AND topic = $2::smallint AND partition = ANY ($3::int[])
ORDER BY id LIMIT $4

-- name: outbox.clear
DELETE FROM outbox AS o
USING unnest($3::int[], $4::bigint[]) AS done (partition, id)
WHERE o.actor = $1::text AND o.topic = $2::smallint AND o.partition = done.partition AND o.id = done.id

-- name: connection.end
-- Ends a session of ours whose client has gone, and waits until it is no more (5 s): what it had begun is then either
-- committed or never will be. The name guards against a process id that was given out again.
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid = $1::int AND application_name = $2::text

-- name: connection.lives
SELECT count(*) FROM pg_stat_activity WHERE pid = $1::int AND application_name = $2::text
