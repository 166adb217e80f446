-- A state that is deleted must be at the version that it was decided on, as one that is written: states are also written
-- by the owner of another actor's partition, with the turns that it decided in one go.
CREATE OR REPLACE FUNCTION turns_apply(
    p_actor text, p_topic smallint, p_batch uuid, p_partitions int[], p_begins bigint[], p_ends bigint[],
    p_keys text[], p_versions bigint[], p_values bytea[]
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. cardinality(p_partitions) LOOP
        IF NOT position_move(p_actor, p_topic, p_partitions[i], p_begins[i], p_ends[i], p_batch, false) THEN
            RAISE EXCEPTION 'another owner has gone on' USING ERRCODE = 'BW001', DETAIL = p_partitions[i]::text;
        END IF;
    END LOOP;
    INSERT INTO states (actor, key, version, value)
    SELECT p_actor, s.key, s.version, s.value
    FROM unnest(p_keys, p_versions, p_values) AS s (key, version, value)
    WHERE s.value IS NOT NULL;
    IF array_position(p_values, NULL) IS NOT NULL THEN
        IF EXISTS (
            SELECT FROM unnest(p_keys, p_versions, p_values) AS gone (key, version, value)
            JOIN states AS s ON s.actor = p_actor AND s.key = gone.key AND s.version >= gone.version
            WHERE gone.value IS NULL
        ) THEN
            RAISE unique_violation USING MESSAGE = 'a state has a newer version', TABLE = 'states';
        END IF;
        DELETE FROM states AS s
        USING unnest(p_keys, p_versions, p_values) AS gone (key, version, value)
        WHERE gone.value IS NULL AND s.actor = p_actor AND s.key = gone.key AND s.version < gone.version;
    END IF;
    RETURN true;
END $$;

-- One value cut into pieces of these sizes; a size of -1 is a null. To hand over one large value costs the client a
-- tenth of what an array of many small ones does.
CREATE FUNCTION cut(p_whole bytea, p_sizes int[]) RETURNS bytea[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    pieces bytea[];
BEGIN
    SELECT array_agg(CASE WHEN s.size >= 0 THEN substring(p_whole FROM s.start::int FOR s.size) END ORDER BY s.n)
    INTO pieces
    FROM (
        SELECT e.n, e.size, 1 + sum(greatest(e.size, 0)) OVER (ORDER BY e.n) - greatest(e.size, 0) AS start
        FROM unnest(p_sizes) WITH ORDINALITY AS e (size, n)
    ) AS s;
    RETURN coalesce(pieces, '{}');
END $$;
