-- name: members.name
SELECT nextval(pg_get_serial_sequence('members', 'id'))::int

-- name: members.hold
SELECT pg_try_advisory_lock(1651470957, $1::int)

-- name: members.beat
-- The member lives for $3 more seconds.
INSERT INTO members (id, name, until) OVERRIDING SYSTEM VALUE
VALUES ($1::int, $2::text, clock_timestamp() + make_interval(secs => $3::float8))
ON CONFLICT (id) DO UPDATE SET until = excluded.until

-- name: members.leave
WITH subscriptions AS (DELETE FROM subscribers WHERE member = $1::int)
DELETE FROM members WHERE id = $1::int

-- name: members.bury
-- Forgets who has been gone for minutes; what they owned is free in any case.
WITH gone AS (DELETE FROM members WHERE until < clock_timestamp() - interval '5 minutes' RETURNING id)
DELETE FROM subscribers WHERE member IN (SELECT id FROM gone)

-- name: subscribers.join
INSERT INTO subscribers (member, grp, topic) VALUES ($1::int, $2::text, $3::smallint) RETURNING id

-- name: subscribers.rejoin
INSERT INTO subscribers (id, member, grp, topic) OVERRIDING SYSTEM VALUE
SELECT * FROM unnest($1::int[], $2::int[], $3::text[], $4::smallint[]) ON CONFLICT (id) DO NOTHING

-- name: subscribers.leave
-- Of what it owned, only the partitions $2 are clean.
WITH freed AS (UPDATE leases SET owner = NULL, clean = partition = ANY ($2::int[]) WHERE owner = $1::int)
DELETE FROM subscribers WHERE id = $1::int

-- name: subscribers.living
SELECT id, member, grp, topic FROM living_subscribers ORDER BY id

-- name: leases.owned
SELECT owner, partition FROM leases WHERE owner = ANY ($1::int[])

-- name: leases.take
SELECT taken_partition, was_clean FROM leases_take($1::int, $2::text, $3::smallint, $4::int, $5::int)

-- name: leases.release
UPDATE leases SET owner = NULL, clean = $3::boolean WHERE owner = $1::int AND partition = ANY ($2::int[])
