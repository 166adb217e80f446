-- What deciders may ask by name (``Query("bot_memory.get", (bot, name))``), and what services read.

-- name: bot_memory.get
SELECT value FROM bot_memory WHERE bot = $1::text AND name = $2::text AND value IS NOT NULL

-- name: user_memory.get
SELECT value FROM user_memory WHERE bot = $1::text AND person = $2::text AND name = $3::text AND value IS NOT NULL

-- name: messages.newest
-- The newest entries of session $1 up to number $2, newest first: at most $3, and after $4 characters no more.
SELECT seq, body FROM (
    SELECT seq, body, sum(length(body)) OVER (ORDER BY seq DESC) - length(body) AS before
    FROM (
        SELECT seq, body FROM messages WHERE session = $1::text::uuid AND seq <= $2::bigint ORDER BY seq DESC LIMIT $3
    ) AS few
) AS counted
WHERE before < $4::bigint ORDER BY seq DESC

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
