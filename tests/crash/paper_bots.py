"""Paper bots for tests of whole engines."""

from decimal import Decimal

from engine.adapters.postgres.database import DatabaseOptions, open_connection
from engine.adapters.postgres.strategy_store import StrategyStore
from protocols.strategies import Aggregation, StrategySettings, TargetMode

OPEN = {"min_edge": None, "min_trader_resolved_count": 0, "max_trade_age_s": 3_600, "bet_size": Decimal(5)}
BOTS = {
    "MIRROR": StrategySettings(**OPEN, target_mode=TargetMode.EVERYONE, excluded_traders=()),
    "FOLLOWER": StrategySettings(**OPEN),
    "WHOLE_ORDERS": StrategySettings(**OPEN, aggregate=Aggregation.TRANSACTION),
    "POOR": StrategySettings(**OPEN, starting_balance=Decimal(20)),
    "CHOOSY": StrategySettings(**OPEN, price_min=Decimal("0.7")),
}


async def make_bots(options: DatabaseOptions, *names: str) -> None:
    """Makes some of the bots, all but MIRROR without names; they belong to admin and copy whom he follows."""
    chosen = names or tuple(name for name in BOTS if name != "MIRROR")
    async with open_connection(options, "bots") as connection:
        store = StrategyStore(connection)
        owner_id = await store.user_id("admin")
        assert owner_id is not None
        await store.create([(name, BOTS[name]) for name in chosen], owner_id, by="test")
