"""What has to be true of virtual money, whatever happened: looked up in the tables, without any code of the engine's."""

import asyncpg

from engine.adapters.postgres.database import DatabaseOptions, once

BALANCES = """
SELECT wallet_id, starting, cash, open_cost, realized_pnl, orders, open_orders, won + lost + sold + void AS final,
    fees, stakes, final_pnl_sum
FROM ft_balances ORDER BY wallet_id
"""
SUMS = """
SELECT wallet_id, count(*) AS orders, count(*) FILTER (WHERE outcome = 'OPEN') AS open_orders,
    coalesce(sum(cost_open), 0) AS open_cost, coalesce(sum(pnl), 0) AS pnl, sum(size) AS stakes,
    coalesce(sum(pnl) FILTER (WHERE outcome <> 'OPEN'), 0) AS final_pnl,
    sum(size + fee_usd) AS paid,
    (SELECT coalesce(sum(proceeds), 0) FROM ft_closes WHERE ft_closes.wallet_id = ft_orders.wallet_id) AS proceeds,
    (SELECT coalesce(sum(cost_released), 0) FROM ft_closes WHERE ft_closes.wallet_id = ft_orders.wallet_id) AS released
FROM ft_orders GROUP BY wallet_id
"""
TWICE = "SELECT wallet_id, trade_id FROM ft_order_members GROUP BY wallet_id, trade_id HAVING count(*) > 1"
NOT_MEMBERS = """
SELECT order_id FROM ft_orders WHERE NOT EXISTS (
    SELECT 1 FROM ft_order_members WHERE ft_order_members.order_id = ft_orders.order_id
        AND ft_order_members.trade_id = ft_orders.source_trade_id
)
"""
UNFOUNDED = """
SELECT ft_orders.order_id FROM ft_orders JOIN ft_wallets USING (wallet_id)
WHERE NOT EXISTS (
    SELECT 1 FROM decisions, unnest(decisions.strategies, decisions.reasons) AS result (strategy, reason)
    WHERE decisions.trade_id = ft_orders.source_trade_id AND result.strategy = ft_wallets.number AND result.reason = 'taken'
)
"""
CLAIMED_TWICE = "SELECT trade_id, part FROM decisions GROUP BY trade_id, part HAVING count(*) > 1"
UNDECIDED = """
SELECT count(*) FROM trades_public WHERE lane = 0 AND side = 'BUY' AND NOT EXISTS (
    SELECT 1 FROM decisions WHERE decisions.trade_id = trades_public.trade_id AND decisions.part = 'now'
)
"""


async def audit(options: DatabaseOptions) -> int:
    """Returns the number of paper orders. Raises `AssertionError` when money does not add up or something happened twice."""

    async def work(raw: asyncpg.Connection) -> int:
        async with raw.transaction(isolation="repeatable_read"):
            sums = {row["wallet_id"]: row for row in await raw.fetch(SUMS)}
            for balance in await raw.fetch(BALANCES):
                check(balance, sums.get(balance["wallet_id"]))
            for statement in (TWICE, NOT_MEMBERS, UNFOUNDED, CLAIMED_TWICE):
                assert not await raw.fetch(statement), statement
            return sum(row["orders"] for row in sums.values())

    return await once(options, "audit", work)


def check(balance: asyncpg.Record, orders: asyncpg.Record | None) -> None:
    assert balance["cash"] >= 0
    assert balance["cash"] + balance["open_cost"] == balance["starting"] + balance["realized_pnl"]
    assert balance["orders"] == balance["open_orders"] + balance["final"]
    if orders is None:
        assert balance["cash"] == balance["starting"]
        return
    for name in ("orders", "open_orders", "open_cost", "stakes"):
        assert balance[name] == orders[name], name
    assert balance["realized_pnl"] == orders["pnl"]
    assert balance["final_pnl_sum"] == orders["final_pnl"]


async def undecided(options: DatabaseOptions) -> int:
    """Returns how many stored purchases of targets nobody has decided about."""
    return int(await once(options, "audit", lambda raw: raw.fetchval(UNDECIDED)))
