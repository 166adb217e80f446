-- Commits wait while this is built: one look at every state, and nearly none goes into it. Before 0005, so that an index
-- made beside an old reader serves at once, and apart from it: what holds rows must not wait for the table.
SET LOCAL lock_timeout = '2s';
CREATE INDEX states_forgotten ON states (forgotten_on) WHERE forgotten_on IS NOT NULL;
