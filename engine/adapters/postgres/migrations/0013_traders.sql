-- What profiles of traders, discovery lists and the fire feed are read by.

-- Few of a wallet's closed positions; they are left out of its open ones.
CREATE INDEX wallet_closed_positions_lost ON wallet_closed_positions (wallet_address, token_id) WHERE is_unredeemed_loss;

-- Results by market are added up from this alone.
CREATE INDEX wallet_closed_positions_by_market ON wallet_closed_positions (wallet_address, condition_id)
    INCLUDE (bought_shares, avg_price, realized_pnl, closed_at);

-- The leaderboard, by each figure.
CREATE INDEX traders_by_pnl ON traders (pnl DESC, wallet_address DESC) WHERE is_active AND pnl IS NOT NULL;
CREATE INDEX traders_by_volume ON traders (volume DESC, wallet_address DESC) WHERE is_active AND volume IS NOT NULL;
CREATE INDEX traders_by_roi ON traders (roi DESC, wallet_address DESC) WHERE is_active AND roi IS NOT NULL;
CREATE INDEX traders_by_win_rate ON traders (win_rate DESC, wallet_address DESC) WHERE is_active AND win_rate IS NOT NULL;

-- Who may be in the fire feed (actors/rules/fire.py), best first.
CREATE INDEX trader_global_stats_hot ON trader_global_stats (d30_win_rate DESC, d30_resolved_count DESC, wallet_address)
    WHERE d30_win_rate >= 0.52 AND d30_resolved_count >= 10;
