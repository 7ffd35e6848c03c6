-- The feed reads the newest trades of each followed wallet from the index alone, also when only one side is wanted.
DROP INDEX trades_public_by_trader;
CREATE INDEX trades_public_by_trader ON trades_public (trader_wallet, trade_timestamp DESC, trade_id DESC) INCLUDE (side);
-- Reading from the index alone needs pages that vacuum has marked; by default it comes only after a fifth of the table is new.
ALTER TABLE trades_public SET (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
