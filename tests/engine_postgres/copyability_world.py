"""A database with traders, their trades and markets, for all that is about copyability; and a document of it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from engine_postgres.profile_world import NOW, ProfileWorld, condition, wallet

from engine.adapters.postgres.copyability_statements import PUT
from engine.adapters.postgres.copyability_store import row_of
from protocols.copyability import Copyability, CopyAssumptions, CopyCosts, SizeResult, StyleFlag


def document(number: int, **changes: Any) -> Copyability:
    """What was found out of a trader, or with `net_return=None` that too little is known."""
    little = "net_return" in changes and changes["net_return"] is None
    made: dict[str, Any] = {
        "wallet": wallet(number), "size_usd": Decimal(20), "since": NOW - timedelta(days=90), "until": NOW,
        "computed_at": NOW - timedelta(hours=3), "grade": "not_enough" if little else "likely", "sentence": "So and so.",
        "trades": 250, "decisions": 120, "copied": 100, "days": 40, "won": 60, "lost": 40, "left_out": {"unresolved": 20},
        "wanted": Decimal(2_000), "stake": Decimal(2_000), "gross": Decimal("120.50"),
        "costs": CopyCosts(delay=Decimal("-1.5"), spread=Decimal(12), depth=Decimal(3), fees=Decimal(7)),
        "net": Decimal(100), "net_return": Decimal("0.05"), "low": Decimal("-0.01"), "high": Decimal("0.11"),
        "level": Decimal("0.90"), "capacity": "unknown" if little else "found",
        "capacity_usd": None if little else Decimal(130),
        "sizes": [SizeResult(size_usd=Decimal(20), copied=100, stake=Decimal(2_000), net=Decimal(100),
                             net_return=Decimal("0.05"), filled=Decimal(1))],
        "flags": [], "sales_below_minimum": 0, "truncated": False,
        "assumptions": CopyAssumptions(delay_ms=3_000, delay_source="assumed", depth_source="made up", model="1"),
    }  # fmt: skip
    if little:
        made |= {"low": None, "high": None}
    return Copyability(**(made | changes))


def flag(name: str) -> StyleFlag:
    return StyleFlag(name=name, evidence=f"because of {name}")


async def keep(world: ProfileWorld, documents: Iterable[Copyability]) -> None:
    """Puts documents into the table as the job does."""
    for one in documents:
        await world.run(PUT, *row_of(one))


async def traded(
    world: ProfileWorld,
    number: int,
    *,
    days: int,
    wins: Sequence[bool],
    price: str = "0.5",
    until: datetime | None = None,
) -> None:
    """One purchase a day of a trader, each in a market of its own that ended four hours later."""
    end = until or datetime.now(tz=UTC)
    trades, markets, tokens = [], [], []
    for day in range(days):
        at = end - timedelta(days=days - day, hours=6)
        market = number * 10_000 + day
        payouts = ["1", "0"] if wins[day % len(wins)] else ["0", "1"]
        trades.append({
            "trade_id": f"{market}-0", "lane": 0, "trader_wallet": wallet(number), "transaction_hash": f"0x{market:064x}",
            "asset": str(2 * market), "condition_id": condition(market), "side": "BUY", "size": "100", "price": price,
            "trade_timestamp": at.replace(microsecond=0), "outcome": "Yes", "market_title": "Rain?", "raw": {},
        })  # fmt: skip
        markets.append({
            "condition_id": condition(market), "title": "Rain?", "outcomes": ["Yes", "No"], "outcome_prices": payouts,
            "closed": True, "resolution_status": "resolved", "close_time": at + timedelta(hours=4),
            "created_at": at, "updated_at": at,
        })  # fmt: skip
        tokens += [
            {
                "token_id": str(2 * market + side),
                "condition_id": condition(market),
                "outcome": outcome,
                "outcome_index": side,
            }
            for side, outcome in enumerate(("Yes", "No"))
        ]
    await world.put("trades_public", trades)
    await world.put("markets", markets)
    await world.put("market_tokens", tokens)
