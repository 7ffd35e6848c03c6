"""What several statements about traders have in common. $1 is a wallet, in lower case."""


def trades_of(wallet: str) -> str:
    """Returns the condition on `trades_public` that a trade is of a wallet (an expression).

    An equality alone looks as if it held for every row where few wallets have trades; a plan may then walk the trades of
    everybody by time, to their end for a wallet that has none. A range of one wallet looks narrow to every plan, so that it
    begins with the index that the wallet comes first in.
    """
    return f"(trader_wallet = {wallet} AND trader_wallet >= {wallet} AND trader_wallet <= {wallet})"


# What is lost and never redeemed stays among the venue's open positions; it is told as closed, and in one list only. `IN (…) IS
# NOT TRUE` is a hashed subplan; an anti join would be nested loops, since a plan that knows no wallet counts on few rows.
HELD = """
SELECT held.*, coalesce(held.value_usd, round(held.size * held.current_price, 6)) AS value,
    coalesce(held.cost_usd, round(held.size * held.avg_price, 6)) AS cost
FROM positions_current AS held
WHERE held.wallet_address = $1 AND (held.token_id IN (
    SELECT token_id FROM wallet_closed_positions WHERE wallet_address = $1 AND is_unredeemed_loss
)) IS NOT TRUE
"""
# What this engine saw end and the venue's list does not have yet: the last end of each token. Once as a condition on single
# rows, for pages that look at few, and once as the whole list.
IS_OBSERVED = """
(SELECT true FROM wallet_closed_positions AS told
    WHERE told.wallet_address = $1 AND told.token_id = ended.token_id LIMIT 1) IS NULL
AND (SELECT true FROM positions_closed AS later
    WHERE later.wallet_address = $1 AND later.token_id = ended.token_id AND later.opened_at > ended.opened_at LIMIT 1) IS NULL
"""
OBSERVED = """
SELECT DISTINCT ON (token_id) token_id, condition_id, realized_pnl, closed_at, market_title, market_slug, event_slug
FROM positions_closed AS ended
WHERE ended.wallet_address = $1 AND (ended.token_id IN (
    SELECT token_id FROM wallet_closed_positions WHERE wallet_address = $1
)) IS NOT TRUE
ORDER BY token_id, opened_at DESC
"""
# Single days are found by one descent of the index each, however many trades they hold; a query that reads only some of the
# days stops there.
_DAYS_OF_TRADES = """
traded AS (
    (
        SELECT (trade_timestamp AT TIME ZONE 'UTC')::date AS day FROM trades_public
        WHERE MINE AND trade_timestamp < BEFORE
        ORDER BY trade_timestamp DESC LIMIT 1
    )
    UNION ALL
    SELECT older.day FROM traded CROSS JOIN LATERAL (
        SELECT (trade_timestamp AT TIME ZONE 'UTC')::date AS day FROM trades_public
        WHERE MINE AND trade_timestamp < traded.day::timestamp AT TIME ZONE 'UTC'
        ORDER BY trade_timestamp DESC LIMIT 1
    ) AS older
)
"""


def days_of_trades(before: str) -> str:
    """Returns the recursive query `traded`: the UTC days of his stored trades before a moment (an expression), newest first."""
    return _DAYS_OF_TRADES.replace("MINE", trades_of("$1")).replace("BEFORE", before)
