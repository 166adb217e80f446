-- What deciders write with their turns (``turn.write(name, *values)``). The values of all rows of a batch come as one
-- array a column. A statement must not mind the order in which different statements of a batch are executed; where two
-- rows of one batch mean the same thing, the last one counts.

-- name: messages.insert
-- session, seq, id, at, body (JSON of schemas.conversation.Message)
INSERT INTO messages (session, seq, id, at, body)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::timestamptz[], $5::text[])

-- name: messages.forget
-- session: a conversation that is swept away
DELETE FROM messages WHERE session = ANY ($1::uuid[])

-- name: conversations.forget
-- session
DELETE FROM conversations WHERE id = ANY ($1::uuid[])

-- name: conversations.insert
-- session, bot, channel, person (id), opened_at; one that is there already stays as it is
INSERT INTO conversations (id, bot, channel, person, opened_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
ON CONFLICT (id) DO NOTHING

-- name: timers.write
-- partition, key, reply_to, timer, due_at (null: drop it), request (the whole TimerRequested as bytes)
INSERT INTO timers (partition, key, reply_to, timer, due_at, request)
SELECT DISTINCT ON (w.partition, w.key, w.reply_to, w.timer)
    w.partition, w.key, w.reply_to, w.timer, coalesce(w.due_at, 'infinity'), w.request
FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bytea[]) WITH ORDINALITY
    AS w (partition, key, reply_to, timer, due_at, request, n)
ORDER BY w.partition, w.key, w.reply_to, w.timer, w.n DESC
ON CONFLICT (partition, key, reply_to, timer) DO UPDATE SET due_at = excluded.due_at, request = excluded.request

-- name: dead_letters.insert
INSERT INTO dead_letters (id, grp, topic, partition, "offset", key, type, data, reason, traceback, at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::text[], $7::text[], $8::bytea[],
                     $9::text[], $10::text[], $11::timestamptz[])
ON CONFLICT (id) DO NOTHING

-- name: turn_queries.insert
INSERT INTO turn_queries (actor, topic, partition, "offset", index, asked, rows)
SELECT * FROM unnest($1::text[], $2::smallint[], $3::int[], $4::bigint[], $5::int[], $6::bytea[], $7::bytea[])
ON CONFLICT (actor, topic, partition, "offset", index) DO UPDATE SET asked = excluded.asked, rows = excluded.rows
