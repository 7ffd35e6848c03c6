-- What copying a trader would have made, computed by the job score-traders: one row a trader, replaced by each run.
CREATE TABLE trader_copyability (
    wallet_address text PRIMARY KEY CHECK (wallet_address ~ '^0x[0-9a-f]{40}$'),
    -- USD a copied trade that all figures are of.
    size_usd numeric(20, 6) NOT NULL CHECK (size_usd > 0),
    grade text NOT NULL CHECK (grade IN ('good', 'likely', 'unlikely', 'bad', 'not_enough')),
    -- Net profit by stake, and its interval; null where there is not enough evidence.
    net_return numeric(20, 6),
    low numeric(20, 6),
    high numeric(20, 6),
    capacity text NOT NULL CHECK (capacity IN ('none', 'found', 'above', 'unknown')),
    -- USD a trade up to which there was a profit; of 'above' the greatest size that was tried.
    capacity_usd numeric(20, 6),
    copied integer NOT NULL,
    days integer NOT NULL,
    -- The whole of it, as the API answers it.
    document jsonb NOT NULL,
    computed_at timestamptz NOT NULL,
    CHECK ((grade = 'not_enough') = (net_return IS NULL)),
    CHECK ((net_return IS NULL) = (low IS NULL) AND (low IS NULL) = (high IS NULL))
);
CREATE INDEX trader_copyability_by_low ON trader_copyability (low DESC, wallet_address DESC) WHERE low IS NOT NULL;
CREATE INDEX trader_copyability_by_net ON trader_copyability (net_return DESC, wallet_address DESC)
    WHERE net_return IS NOT NULL;
CREATE INDEX trader_copyability_by_capacity ON trader_copyability (capacity_usd DESC, wallet_address DESC)
    WHERE capacity_usd IS NOT NULL;
CREATE INDEX trader_copyability_by_time ON trader_copyability (computed_at);
