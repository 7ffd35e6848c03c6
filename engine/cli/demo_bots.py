"""The paper bots of the demo: a few strategies that copy the followed traders with virtual money."""

from decimal import Decimal
from typing import Any

import asyncpg

from engine.adapters.postgres.database import DatabaseOptions, once, open_connection
from engine.adapters.postgres.strategy_store import StrategyStore
from protocols.strategies import Aggregation, AllocationMethod, EntryModel, StrategySettings
from protocols.users import ADMIN_NAME

# The simulated traders have no record yet: gates that need one are off.
_OPEN: dict[str, Any] = {
    "min_edge": None,
    "min_trader_resolved_count": 0,
    "max_bet": Decimal(25),
    "bet_size": Decimal(5),
    "starting_balance": Decimal(1_000),
}
BOTS: dict[str, StrategySettings] = {
    "DEMO_MIRROR": StrategySettings(**_OPEN, description="5 USD on every purchase of a followed trader"),
    "DEMO_FAVOURITES": StrategySettings(
        **_OPEN, price_min=Decimal("0.6"), price_max=Decimal("0.95"), description="only what is likely"
    ),
    "DEMO_LONGSHOTS": StrategySettings(
        **_OPEN,
        price_max=Decimal("0.35"),
        allocation_method=AllocationMethod.CONVICTION,
        description="only what is unlikely, more where the trader stakes more than usual",
    ),
    "DEMO_WHOLE_ORDERS": StrategySettings(
        **_OPEN,
        aggregate=Aggregation.TRANSACTION,
        allocation_method=AllocationMethod.PROPORTIONAL,
        proportional_pct=Decimal(5),
        description="5 % of the trader's whole order, however many fills it had",
    ),
    "DEMO_BOOK": StrategySettings(
        **_OPEN, entry_model=EntryModel.BOOK, fill_delay_ms=200, description="filled from the order book, with fees"
    ),
}
COUNTS = """
SELECT (SELECT count(*) FROM decisions) AS decisions, (SELECT count(*) FROM ft_orders) AS orders,
    (SELECT count(*) FROM ft_orders WHERE outcome IN ('WON', 'LOST', 'VOID')) AS settled,
    (SELECT count(*) FROM ft_closes) AS closes
"""
REASONS = """
SELECT reason, count(*) AS decided FROM decisions, unnest(reasons) AS reason GROUP BY reason ORDER BY count(*) DESC, reason
"""
RESULTS = """
SELECT wallet_id, orders, open_orders, won, lost, sold, void, realized_pnl, cash FROM ft_balances ORDER BY wallet_id
"""


async def make_bots(options: DatabaseOptions) -> None:
    """Makes the bots in the demo's own database; they belong to the user admin, who follows the traders."""
    async with open_connection(options, "demo bots") as connection:
        store = StrategyStore(connection)
        owner_id = await store.user_id(ADMIN_NAME)
        assert owner_id is not None, "a migrated database has him"
        await store.create(list(BOTS.items()), owner_id, by="demo")


async def bot_counts(options: DatabaseOptions) -> dict[str, Any]:
    """Returns what was decided, bought and settled, and why, for the result of the demo."""

    async def work(raw: asyncpg.Connection) -> dict[str, Any]:
        row = await raw.fetchrow(COUNTS)
        assert row is not None
        return {
            "decisions": row["decisions"],
            "ft_orders": row["orders"],
            "ft_closes": row["closes"],
            "ft_settled": row["settled"],
            "reasons": {one["reason"]: one["decided"] for one in await raw.fetch(REASONS)},
            "bots": {
                one["wallet_id"]: {
                    "orders": one["orders"],
                    "open": one["open_orders"],
                    "won": one["won"],
                    "lost": one["lost"],
                    "sold": one["sold"],
                    "void": one["void"],
                    "realized_pnl": str(one["realized_pnl"]),
                    "cash": str(one["cash"]),
                }
                for one in await raw.fetch(RESULTS)
            },
        }

    return await once(options, "demo bots", work)


def bot_sentences(result: dict[str, Any]) -> str:
    """Returns what the bots did, for people."""
    reasons = ", ".join(f"{name} {count}" for name, count in list(result["reasons"].items())[:5])
    lines = [
        f"{len(result['bots'])} paper bots made {result['decisions']} decisions: {result['ft_orders']} orders, "
        f"{result['ft_closes']} sales with their traders, {result['ft_settled']} settled ({reasons}).",
    ]
    for name, bot in result["bots"].items():
        settled = f"{bot['won']} won, {bot['lost']} lost, {bot['void']} void, {bot['sold']} sold, {bot['open']} open"
        lines.append(f"  {name:<18} {bot['orders']:>4} orders: {settled}; realised {bot['realized_pnl']} USD")
    return "\n".join(lines)
