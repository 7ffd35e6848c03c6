-- Takes everything out of the schema public that no extension put there. Runs inside the transaction of a restore.
DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT relation.relname AS name, CASE relation.relkind
            WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE'
            WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE'
        END AS kind
        FROM pg_catalog.pg_class AS relation
        WHERE relation.relnamespace = 'public'::regnamespace AND relation.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_depend AS owned
            WHERE owned.classid = 'pg_class'::regclass AND owned.objid = relation.oid AND owned.deptype = 'e'
        )
        ORDER BY relation.relkind = 'S'  -- most sequences have gone with their tables by then
    LOOP
        EXECUTE format('DROP %s IF EXISTS public.%I CASCADE', item.kind, item.name);
    END LOOP;
    FOR item IN
        SELECT routine.oid::regprocedure AS signature FROM pg_catalog.pg_proc AS routine
        WHERE routine.pronamespace = 'public'::regnamespace
        AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_depend AS owned
            WHERE owned.classid = 'pg_proc'::regclass AND owned.objid = routine.oid AND owned.deptype = 'e'
        )
    LOOP
        EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', item.signature);
    END LOOP;
    FOR item IN
        SELECT kind.typname AS name FROM pg_catalog.pg_type AS kind
        WHERE kind.typnamespace = 'public'::regnamespace AND kind.typtype IN ('e', 'd', 'r')
        AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_depend AS owned
            WHERE owned.classid = 'pg_type'::regclass AND owned.objid = kind.oid AND owned.deptype = 'e'
        )
    LOOP
        EXECUTE format('DROP TYPE IF EXISTS public.%I CASCADE', item.name);
    END LOOP;
END
$$;
