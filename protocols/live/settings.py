"""What an owner may set of a live strategy, and what the engine knows of all of them at one version."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import attrs

from protocols.live.money import LiveBalance
from protocols.live.orders import OrderType
from protocols.setting_fields import choice, decimal, flag, text, whole
from protocols.strategies import StrategySettings

LIVE_ID_PATTERN = "[A-Za-z0-9][A-Za-z0-9_.-]{0,95}"
LIVE_ID_ALLOWED = "1 to 96 letters, digits and _ . -, beginning with a letter or digit"


@attrs.frozen(kw_only=True)
class LiveSettings:
    """Every setting of a live strategy (domain.md §4.1, and what this engine adds). A rule that is None is off."""

    display_name: str = text("name for people", 120)
    description: str = text("what it is for", 4_000)
    # How it trades.
    order_type: OrderType = choice(OrderType.FAK, "how long an entry may wait in the book")
    resting_s: int = whole(
        600, 180, 86_400, "how long an entry rests, with order_type GTC or GTD; then it is cancelled"
    )
    slippage_tolerance_pct: Decimal = decimal("3", "0", "100", 4, "limit of an entry above the trader's price")
    min_order_size_usd: Decimal = decimal("1", "0", "1000000", 2, "smaller stakes are raised to this")
    max_order_size_usd: Decimal = decimal("100", "0", "1000000", 2, "larger stakes are cut to this")
    cooldown_hours: Decimal = decimal("3", "0", "8760", 4, "how long proceeds wait before they are spent again")
    # Risk rules of domain.md §4.4, in order.
    max_position_size_usd: Decimal | None = decimal(None, "0", "1000000000", 2, "most that one order may cost")
    max_total_exposure_usd: Decimal | None = decimal(None, "0", "1000000000", 2, "most that may be locked at once")
    daily_budget_usd: Decimal | None = decimal(None, "0", "1000000000", 2, "most that is spent on a UTC day")
    max_daily_loss_usd: Decimal | None = decimal(None, "0", "1000000000", 2, "loss of a UTC day that stops entries")
    circuit_breaker_loss_pct: Decimal | None = decimal(None, "0", "100", 4, "fall below the peak that stops entries")
    # Risk rules that this engine adds.
    max_signal_age_s: int = whole(30, 1, 604_800, "older signals are not acted on")
    max_price_rise_pct: Decimal | None = decimal(
        "5", "0", "1000", 4, "greatest rise of the price since the signal", optional=True
    )
    max_price_fall_pct: Decimal | None = decimal(
        "30", "0", "100", 4, "greatest fall of the price since the signal", optional=True
    )
    min_book_depth_pct: Decimal | None = decimal(
        "50", "0", "100", 4, "part of the order that the book must hold", optional=True
    )
    max_spread_pct: Decimal | None = decimal(None, "0", "1000", 4, "greatest distance of ask and bid, of the middle")
    max_market_exposure_usd: Decimal | None = decimal(None, "0", "1000000000", 2, "most that one market may lock")
    max_event_exposure_usd: Decimal | None = decimal(None, "0", "1000000000", 2, "most that one event may lock")
    max_orders_per_minute: int | None = whole(None, 0, 10_000, "entries within any 60 s")
    max_consecutive_failures: int | None = whole(
        5, 1, 1_000, "refusals by the venue in a row that stop entries", optional=True
    )
    # Exits.
    copy_sells: bool = flag(True, "sells what was bought from a trader in proportion to what he sells of it")
    stop_loss_pct: Decimal | None = decimal(None, "0", "100", 4, "fall of the bid below the cost that sells a position")
    take_profit_pct: Decimal | None = decimal(None, "0", "100000", 4, "rise of the bid above the cost that sells it")
    max_hold_hours: Decimal | None = decimal(None, "0", "87600", 4, "age at which a position is sold")
    exit_slippage_pct: Decimal = decimal("3", "0", "100", 4, "first limit of an exit below the trader's price")
    exit_step_pct: Decimal = decimal("5", "0", "100", 4, "how much lower each further try may sell")
    exit_deadline_s: int = whole(300, 1, 604_800, "after this an exit sells at any price and is shown as overdue")


@attrs.frozen(kw_only=True)
class LiveStrategy:
    """One live strategy: an account that mirrors a paper strategy."""

    strategy_id: str
    """`LT_<paper strategy>`, with a suffix where several users mirror one; for ever."""
    user_id: str
    """The uuid of the profile it belongs to."""
    ft_wallet_id: str
    account: str
    """Name in `live.accounts`."""
    is_active: bool
    """False: archived. What is open is followed to its end all the same (D20)."""
    is_paused: bool
    """True: no entries; exits go on."""
    version: int
    settings: LiveSettings
    ft_settings: StrategySettings
    """Of the paper strategy: gates and stake come from there (D25)."""
    ft_version: int
    launched_ms: int | None = None

    @property
    def enters(self) -> bool:
        """Returns whether it may make new orders as far as its owner is concerned."""
        return self.is_active and not self.is_paused


FAILOVER = "failover"
"""Who halts when the last commits of the database may be missing; see `actors/rules/database_history.py`."""


@attrs.frozen(kw_only=True)
class Halt:
    """The global stop of entries. Survives restarts."""

    by: str
    reason: str
    since_ms: int

    @property
    def is_failover(self) -> bool:
        """Returns whether an operator has to compare books and venue before it may end."""
        return self.by == FAILOVER


@attrs.frozen(kw_only=True)
class LiveTable:
    """All live strategies at one version; also those that are archived and still hold something."""

    version: int
    strategies: Sequence[LiveStrategy]
    halt: Halt | None = None
    breakers: Mapping[str, str] = attrs.field(factory=dict)
    """By strategy_id: why its breaker is latched."""
    balances: Sequence[LiveBalance] = ()
    """Of the same moment: capital may have been given since they were read last."""


class LiveTableStore(Protocol):
    """What the engine reads of live strategies. Raises `TransientError`."""

    async def version(self) -> int:
        """Returns a number that changes whenever the table may have changed."""
        ...

    async def table(self) -> LiveTable:
        """Returns the table."""
        ...
