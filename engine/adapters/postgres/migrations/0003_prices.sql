-- Prices of markets change every few seconds. Without an index on the time of the last one, and with room left in its page,
-- such a change writes one row and no index at all. Nothing reads by that time.
DROP INDEX markets_open;
ALTER TABLE markets SET (fillfactor = 80);
