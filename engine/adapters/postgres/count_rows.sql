-- Counts the rows of every table in the schema public into a table of this transaction.
CREATE TEMP TABLE counted (name text NOT NULL, row_count bigint NOT NULL) ON COMMIT DROP;
DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT relation.relname AS name FROM pg_catalog.pg_class AS relation
        WHERE relation.relnamespace = 'public'::regnamespace AND relation.relkind IN ('r', 'p')
        AND NOT relation.relispartition
    LOOP
        EXECUTE format('INSERT INTO pg_temp.counted SELECT %L, count(*) FROM public.%I', item.name, item.name);
    END LOOP;
END
$$;
