"""Which trades of a feed somebody wants to see: one rule for pages and for the stream (domain.md §9)."""

from collections.abc import Collection
from decimal import Decimal

import attrs

from actors.rules.market_kind import OTHER, SPORTS_NICHES
from protocols.decisions import MarketInput
from protocols.feed import FeedRow

CATEGORIES: dict[str, frozenset[str]] = {
    "SPORTS": SPORTS_NICHES,
    "CRYPTO": frozenset(("CRYPTO",)),
    "POLITICS": frozenset(("POLITICS", "GEOPOLITICS")),
    "FINANCE": frozenset(("FINANCE",)),
    "TECH": frozenset(("TECH",)),
    "CULTURE": frozenset(("CULTURE",)),
    "WEATHER": frozenset(("WEATHER",)),
    "OTHER": frozenset((OTHER,)),
}
"""Words for readers, and the niches of `market_kind` that they mean."""


@attrs.frozen(kw_only=True)
class FeedFilter:
    """What has to be so of a trade. None and False ask for nothing."""

    wallets: frozenset[str] = frozenset()
    """Empty: everybody's."""
    side: str | None = None
    condition_id: str | None = None
    category: str | None = None
    """A key of `CATEGORIES`."""
    is_live: bool = False
    """A game has begun and its market is open."""
    is_held: bool = False
    """The trader is known to hold what he traded still."""
    usd_min: Decimal | None = None
    price_min: Decimal | None = None
    """USD a share; both ends belong to the range."""
    price_max: Decimal | None = None
    score_min: int | None = None
    """Of the PolySignal, 0 to 100."""
    ends_within_ms: int | None = None
    """The market is open and says that it ends within so long."""
    is_copied: bool = False
    """A strategy of the reader's copied it."""
    strategy: str | None = None
    """This one did."""

    @property
    def wants_market(self) -> bool:
        """Whether it looks at more than the trade itself tells."""
        return self.category is not None or self.is_live or self.ends_within_ms is not None

    @property
    def wants_copies(self) -> bool:
        """Whether it looks at who copied the trade."""
        return self.is_copied or self.strategy is not None

    @property
    def wants_facts(self) -> bool:
        """Whether it looks at anything that the row of a trade does not say."""
        return self.wants_market or self.wants_copies or self.is_held or self.score_min is not None

    @property
    def is_empty(self) -> bool:
        """Whether everything passes."""
        return self == FeedFilter()


@attrs.frozen(kw_only=True)
class TradeFacts:
    """What a filter looks at besides the trade. Only what it wants need be there."""

    market: MarketInput | None = None
    """None: the engine does not know it, or was not asked."""
    is_held: bool = False
    score: Decimal | None = None
    copied_by: Collection[str] = ()
    """Strategies of the reader's."""


def row_passes(wanted: FeedFilter, row: FeedRow) -> bool:
    """Returns whether what the trade says of itself passes."""
    return (
        (not wanted.wallets or row.trader_wallet in wanted.wallets)
        and wanted.side in (None, row.side)
        and wanted.condition_id in (None, row.condition_id)
        and (wanted.usd_min is None or row.price * row.size >= wanted.usd_min)
        and (wanted.price_min is None or row.price >= wanted.price_min)
        and (wanted.price_max is None or row.price <= wanted.price_max)
    )


def facts_pass(wanted: FeedFilter, facts: TradeFacts, now_ms: int) -> bool:
    """Returns whether the rest passes; what nobody knows does not."""
    if wanted.is_held and not facts.is_held:
        return False
    if wanted.score_min is not None and (facts.score is None or facts.score < wanted.score_min):
        return False
    if wanted.strategy is not None and wanted.strategy not in facts.copied_by:
        return False
    if wanted.is_copied and not facts.copied_by:
        return False
    return not wanted.wants_market or (facts.market is not None and _market_passes(wanted, facts.market, now_ms))


def _market_passes(wanted: FeedFilter, market: MarketInput, now_ms: int) -> bool:
    if wanted.category is not None and market.niche not in CATEGORIES[wanted.category]:
        return False
    if wanted.is_live:
        start_ms = market.game_start_ms
        if market.closed or market.resolved or start_ms is None or start_ms > now_ms:
            return False
    if wanted.ends_within_ms is None:
        return True
    is_open = not market.closed and not market.resolved
    return is_open and market.end_ms is not None and 0 <= market.end_ms - now_ms <= wanted.ends_within_ms
