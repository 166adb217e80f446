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
