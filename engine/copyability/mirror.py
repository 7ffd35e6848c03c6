"""The strategies with which a trader is copied to see what it makes: no filter, a fixed stake, the book after the delay."""

from collections.abc import Sequence
from decimal import Decimal

from protocols.copyability import SIZE_USD_MAX
from protocols.strategies import Aggregation, EntryModel, StrategySettings, TargetMode

LADDER = tuple(Decimal(usd) for usd in (5, 25, 100, 250, 1_000, 2_500, 10_000))
"""USD a trade at which the same trades are tried, besides the user's own size."""
BALANCE = Decimal(1_000_000_000)
AGE_S_MAX = 604_800
NO_LIMIT_PCT = Decimal(100)
"""Slippage is not limited: what a trade costs is measured, whatever it is."""


def ladder_of(size_usd: Decimal) -> list[Decimal]:
    """Returns the sizes to try, rising, with the user's own among them."""
    return sorted({*LADDER, size_usd})


def name_of(wallet: str, size_usd: Decimal) -> str:
    """Returns the name of a mirror."""
    return f"{wallet}.{size_usd.normalize():f}"


def mirrors_of(wallet: str, sizes: Sequence[Decimal], delay_ms: int) -> list[tuple[str, StrategySettings]]:
    """Returns a mirror of a trader for each size in USD. Fills of one transaction are one purchase."""
    return [
        (
            name_of(wallet, size),
            StrategySettings(
                target_mode=TargetMode.LIST,
                target_traders=(wallet,),
                max_trade_age_s=AGE_S_MAX,
                min_edge=None,
                min_trader_resolved_count=0,
                starting_balance=BALANCE,
                bet_size=min(size, SIZE_USD_MAX),
                min_bet=Decimal(0),
                max_bet=min(size, SIZE_USD_MAX),
                aggregate=Aggregation.TRANSACTION,
                entry_model=EntryModel.BOOK,
                fill_delay_ms=delay_ms,
                fill_slippage_max_pct=NO_LIMIT_PCT,
            ),
        )
        for size in sizes
    ]
