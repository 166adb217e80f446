-- What was forgotten before 0003 counts from today. What the bus stores of a key without a state ends so, and nothing
-- else does: a state is an object, in braces of its own. Nobody waits for this.
SET LOCAL enable_seqscan = on; -- every row is looked at
UPDATE states SET forgotten_on = floor(extract(epoch FROM clock_timestamp()) / 86400)::int
WHERE forgotten_on IS NULL AND substring(value FROM octet_length(value) - 26) = '"parked":null,"state":null}'::bytea;
