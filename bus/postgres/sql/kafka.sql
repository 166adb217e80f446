-- name: leases.lock
-- Whoever takes leases of a topic is alone with them; the next statement sees what the one before has done.
SELECT pg_advisory_xact_lock(1651470956, $1::int)

-- name: leases.take_these
-- Of some partitions, those that nobody living owns.
WITH free AS MATERIALIZED (
    SELECT w.partition, coalesce(l.clean, true) AS clean
    FROM unnest($4::int[]) AS w (partition)
    LEFT JOIN leases AS l ON l.grp = $2::text AND l.topic = $3::smallint AND l.partition = w.partition
    WHERE l.owner IS NULL OR l.owner NOT IN (SELECT s.id FROM living_subscribers AS s)
), taken AS (
    INSERT INTO leases AS l (grp, topic, partition, owner, clean)
    SELECT $2::text, $3::smallint, free.partition, $1::int, false FROM free
    ON CONFLICT (grp, topic, partition) DO UPDATE SET owner = excluded.owner, clean = false
    RETURNING l.partition
)
SELECT free.partition, free.clean FROM free JOIN taken ON taken.partition = free.partition
