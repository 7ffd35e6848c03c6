-- Strategies whose targets disagree or pile up: their policies, what these looked at, and the event of every paper order.

ALTER TABLE ft_wallets
    ADD COLUMN conflict_policy text NOT NULL DEFAULT 'copy_all'
        CHECK (conflict_policy IN ('copy_all', 'first', 'majority', 'net')),
    ADD COLUMN max_targets_per_side integer CHECK (max_targets_per_side >= 1),
    ADD COLUMN max_event_exposure_usd numeric(12, 2) CHECK (max_event_exposure_usd >= 0);

-- Parallel to `strategies`, null where that strategy has no policy or did not get that far; null as a whole where none has one.
ALTER TABLE decisions ADD COLUMN stands jsonb;

-- As it was known when the order was made. What was bought before this column came has it from the market, as long as it is open.
ALTER TABLE ft_orders ADD COLUMN event_slug text;
UPDATE ft_orders SET event_slug = markets.event_slug
FROM markets WHERE markets.condition_id = ft_orders.condition_id AND ft_orders.outcome = 'OPEN';
