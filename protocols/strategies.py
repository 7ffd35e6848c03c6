"""A strategy: whom it copies, which trades, with how much virtual money, and the port where strategies are kept.

Every setting says what is allowed; validation, TOML, API and database columns follow from the fields of `StrategySettings`.
Money is USD, prices are USD a share, rates and ratios are 0 to 1, times are milliseconds since the epoch.
"""

import enum
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import attrs

from protocols.setting_fields import choice, decimal, flag, text, time, wallets, whole, words


class TargetMode(enum.StrEnum):
    """Whose trades a strategy copies."""

    LIST = "list"
    """The wallets of `target_traders`; none when that is empty (D52)."""
    FOLLOWED = "followed"
    """Whom the owner of the strategy follows."""
    LEADERBOARD = "leaderboard"
    """The active wallets of `traders`."""
    EVERYONE = "everyone"
    """Every trade of the platform: paper only."""


class Rotation(enum.StrEnum):
    """Who fills `target_traders`."""

    NONE = "none"
    """Whoever edits the strategy."""
    DAILY = "daily"
    """The job rotate-pnl-winners, with those who earned most yesterday."""
    WEEKLY = "weekly"
    """The same, with those of the last seven days."""


class WinRateSource(enum.StrEnum):
    """Which record of a trader the win rate and the resolved count come from (domain.md §2.3)."""

    GLOBAL = "GLOBAL"
    PROFILE = "PROFILE"


class AllocationMethod(enum.StrEnum):
    """How the stake is found (domain.md §2.4)."""

    FIXED = "FIXED"
    KELLY = "KELLY"
    EDGE_SCALED = "EDGE_SCALED"
    TIERED = "TIERED"
    CONVICTION = "CONVICTION"
    ML_SCALED = "ML_SCALED"
    CONFIDENCE = "CONFIDENCE"
    WHALE = "WHALE"
    PROPORTIONAL = "PROPORTIONAL"


class ProportionalBasis(enum.StrEnum):
    """What PROPORTIONAL takes its percentage of."""

    NOTIONAL = "notional"
    """The USD that the leader put into the trade."""
    PORTFOLIO = "portfolio"
    """The share of his portfolio that he put into the trade, applied to our bankroll."""


class AbsentScore(enum.StrEnum):
    """What a model score that is absent means to a strategy that uses the model."""

    REJECT = "reject"
    IGNORE = "ignore"
    """The gates of the model are skipped, and stakes are found as if the model said nothing."""


class EntryModel(enum.StrEnum):
    """At what price a paper order is filled."""

    SLIP = "slip"
    """The leader's price and 0.3 %."""
    BOOK = "book"
    """Walking the order book after `fill_delay_ms`, up to `fill_slippage_max_pct` above the leader's price."""
    OBSERVED = "observed"
    """The leader's price."""


class Aggregation(enum.StrEnum):
    """Which fills of a leader are one decision."""

    NONE = "none"
    TRANSACTION = "transaction"
    """Fills of one wallet, token and side in one transaction."""
    WINDOW = "window"
    """Fills of one wallet, token and side within `aggregate_window_s` of the first."""


class ConflictPolicy(enum.StrEnum):
    """Which of its targets' opposite trades in a market a strategy copies."""

    COPY_ALL = "copy_all"
    """All of them."""
    FIRST = "first"
    """None of another outcome than it holds already from another target."""
    MAJORITY = "majority"
    """Only of the outcome that strictly most of its targets stand on."""
    NET = "net"
    """Only of the outcome that strictly most of their money stands on."""


@attrs.frozen(kw_only=True)
class StrategySettings:
    """Every setting of domain.md §2.1 and what this engine adds. A gate that is None is off; zero is a value (D18)."""

    display_name: str = text("name for people", 120)
    description: str = text("what it is for", 4_000)
    hypothesis: str = text("what it is meant to find out", 2_000)
    thesis_tier: str = text("group of strategies", 40)
    strategy_name: str = text("name of the family", 120)
    is_active: bool = flag(True, "false: copies nothing new; what is open is closed as ever")
    start_date: int | None = time("trades before it are not copied")
    end_date: int | None = time("trades from then on are not copied")
    # Whom.
    target_mode: TargetMode = choice(TargetMode.FOLLOWED, "whose trades it copies")
    target_traders: tuple[str, ...] = wallets("whom it copies, with target_mode list; none means nobody")
    excluded_traders: tuple[str, ...] = wallets("whom it never copies")
    rotation: Rotation = choice(Rotation.NONE, "whether winners fill target_traders every night")
    rotation_size: int = whole(10, 1, 1_000, "how many winners, with rotation")
    copy_sells: bool = flag(True, "closes what was bought from a trader in proportion to what he sells of it")
    # Which trades, in the order of the chain.
    max_trade_age_s: int = whole(300, 1, 604_800, "older trades are not copied when they arrive late")
    trade_live_only: bool = flag(False, "only after the game has started")
    price_min: Decimal = decimal("0", "0", "1", 4, "least price of the leader")
    price_max: Decimal = decimal("1", "0", "1", 4, "greatest price of the leader")
    min_trader_win_rate: Decimal | None = decimal(None, "0", "1", 6, "least win rate of the trader")
    min_edge: Decimal | None = decimal("0", "-1", "1", 6, "least win rate above the slipped price", optional=True)
    min_trader_resolved_count: int = whole(30, 0, 1_000_000, "least resolved trades of the trader")
    min_conviction: Decimal | None = decimal(None, "0", "1000000", 6, "least multiple of his average trade")
    max_trader_win_rate: Decimal | None = decimal(None, "0", "1", 6, "greatest win rate of the trader")
    max_edge: Decimal | None = decimal(None, "-1", "1", 6, "greatest edge")
    max_conviction: Decimal | None = decimal(None, "0", "1000000", 6, "greatest conviction")
    market_categories: tuple[str, ...] = words("title, category or a tag has to contain one of these")
    bet_structures: tuple[str, ...] = words("structure of the market has to be one of these")
    exclude_market_keywords: tuple[str, ...] = words("title, category and tags must contain none of these")
    min_original_trade_usd: Decimal | None = decimal(None, "0", "1000000000", 2, "least USD of the leader's trade")
    max_original_trade_usd: Decimal | None = decimal(None, "0", "1000000000", 2, "greatest USD of the leader's trade")
    wr_source: WinRateSource = choice(WinRateSource.GLOBAL, "record that win rate and resolved count come from")
    use_model: bool = flag(False, "asks the model for the probability of winning")
    model_threshold: Decimal | None = decimal(None, "0", "1", 6, "least probability; needed with use_model")
    absent_score: AbsentScore = choice(AbsentScore.REJECT, "what a score that is absent means")
    conflict_policy: ConflictPolicy = choice(ConflictPolicy.COPY_ALL, "what it copies where its targets disagree")
    max_targets_per_side: int | None = whole(None, 1, 1_000, "how many targets are copied on one outcome")
    max_event_exposure_usd: Decimal | None = decimal(None, "0", "1000000000", 2, "most open cost in one event")
    # How much.
    starting_balance: Decimal = decimal("1000", "1", "1000000000", 2, "virtual USD; fixed once it has traded")
    bet_size: Decimal = decimal("1.20", "0", "1000000", 2, "base stake in USD")
    bet_allocation_weight: Decimal = decimal("1", "0", "1000", 4, "factor of the base stake")
    allocation_method: AllocationMethod = choice(AllocationMethod.FIXED, "how the stake is found")
    kelly_fraction: Decimal = decimal("0.25", "0", "1", 4, "share of the full Kelly stake")
    min_bet: Decimal = decimal("0.50", "0", "1000000", 2, "least stake in USD")
    max_bet: Decimal = decimal("10", "0", "1000000", 2, "greatest stake in USD")
    proportional_pct: Decimal = decimal("1", "0", "1000", 4, "percentage of PROPORTIONAL")
    proportional_basis: ProportionalBasis = choice(ProportionalBasis.NOTIONAL, "what the percentage is taken of")
    aggregate: Aggregation = choice(Aggregation.NONE, "which fills of a leader are one decision")
    aggregate_window_s: int = whole(5, 1, 600, "length of the window, with aggregate window")
    # At what price.
    entry_model: EntryModel = choice(EntryModel.SLIP, "price at which paper orders are filled")
    fill_delay_ms: int = whole(500, 0, 60_000, "time after the decision at which the book is looked at")
    fill_slippage_max_pct: Decimal = decimal("3", "0", "100", 4, "limit of a fill from the book, above the leader")
    # Used when the strategy is copied with real money.
    dead_market_guard: bool = flag(True, "live only: no orders in markets that have collapsed")
    dead_market_floor: Decimal = decimal("0.04", "0", "1", 4, "live only: price of a collapsed market")
    dead_market_max_drift_pct: Decimal = decimal("80", "0", "100", 4, "live only: greatest fall since the signal")
    agent_managed: bool = flag(False, "the tuner may propose changes")
    agent_applies: bool = flag(False, "the tuner may apply its proposals itself")


WALLET_ID_PATTERN = "[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"


@attrs.frozen(kw_only=True)
class Strategy:
    """One strategy at one version."""

    wallet_id: str
    """Its name, as in `FT_ML_EDGE`; for ever."""
    number: int
    """Short id of the same, in `decisions`."""
    owner_id: str
    """The uuid of the profile it belongs to."""
    version: int
    settings: StrategySettings


@attrs.frozen(kw_only=True)
class StrategyTable:
    """All strategies that are not archived, and whom their target modes mean, at one version."""

    version: int
    strategies: Sequence[Strategy]
    followed: Mapping[str, Collection[str]]
    """By owner of a strategy with target_mode followed: the wallets that he follows."""
    leaderboard: Collection[str]
    """Empty unless a strategy needs it."""


class StrategyTableStore(Protocol):
    """What the engine reads of strategies. Raises `TransientError`."""

    async def version(self) -> int:
        """Returns a number that changes whenever the table may have changed."""
        ...

    async def table(self) -> StrategyTable:
        """Returns the table."""
        ...
