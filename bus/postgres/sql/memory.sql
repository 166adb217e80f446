-- Memory of bots and of people, written at once by a script, so that what it reads next is what it wrote.

-- name: bot_memory.set
INSERT INTO bot_memory (bot, name, value) VALUES ($1::text, $2::text, $3::bytea)
ON CONFLICT (bot, name) DO UPDATE SET value = excluded.value

-- name: user_memory.set
INSERT INTO user_memory (bot, person, name, value) VALUES ($1::text, $2::text, $3::text, $4::bytea)
ON CONFLICT (bot, person, name) DO UPDATE SET value = excluded.value

-- name: user_memory.clear
DELETE FROM user_memory WHERE bot = $1::text AND person = $2::text

-- name: user_memory.all
SELECT name, value FROM user_memory
WHERE bot = $1::text AND person = $2::text AND value IS NOT NULL ORDER BY name
