-- Whose money it is: an engine trades some accounts, and reads and writes what belongs to these alone.

-- The account of a live strategy, or of orders by hand (strategy_id 'manual:<account>'); null for one that is not there.
CREATE FUNCTION live_account(strategy_id text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN $1 LIKE 'manual:%' THEN substr($1, 8)
        ELSE (SELECT account FROM lt_strategies WHERE lt_strategies.strategy_id = $1) END
$$;
