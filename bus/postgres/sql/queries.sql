-- What deciders may ask by name (``Query("bot_memory.get", (bot, name))``), and what services read.

-- name: bot_memory.get
SELECT value FROM bot_memory WHERE bot = $1::text AND name = $2::text AND value IS NOT NULL

-- name: user_memory.get
SELECT value FROM user_memory WHERE bot = $1::text AND person = $2::text AND name = $3::text AND value IS NOT NULL

-- name: timers.due
-- Of some partitions: what is due at $2 and not before $3 (the caller's memory of what it has seen fired, to spare a
-- walk over dead rows), oldest first.
SELECT partition, key, reply_to, timer, due_at, request FROM timers
WHERE partition = ANY ($1::int[]) AND due_at <= $2::timestamptz AND due_at >= $3::timestamptz
ORDER BY due_at LIMIT $4

-- name: timers.next
-- When the next one of some partitions is due after $2; null when none is.
SELECT min(due_at) AS due_at FROM timers
WHERE partition = ANY ($1::int[]) AND due_at > $2::timestamptz AND due_at < 'infinity'

-- name: timers.sweep
DELETE FROM timers WHERE due_at = 'infinity'
