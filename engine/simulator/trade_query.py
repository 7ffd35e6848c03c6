"""Which fills a Data API request means, and how much of the truth it may see yet."""

from collections.abc import Iterator
from decimal import Decimal

import attrs

from engine.simulator.faults import FaultBoard
from engine.simulator.ledger import Fill, Ledger
from engine.simulator.series import Series
from engine.simulator.wire_numbers import micro_from
from protocols.clock import WallClock

_RECOMPUTED_EVERY_MS = 4_000
_PIPELINE_MS = 3_000


class Visibility:
    """The Data API's delay: recomputed about every 4 s, about 5 s behind the match (venue.md §5.1)."""

    def __init__(self, clock: WallClock, faults: FaultBoard, *, lag_scale: float) -> None:
        self._clock = clock
        self._faults = faults
        self._lag_scale = lag_scale

    def horizon_ms(self) -> int:
        """Returns the time up to which matches are visible; it stands still under `http_stale`."""
        now = self._clock.now_ms()
        stale = self._faults.active("http_stale")
        if stale is not None and stale.text("api", "*") in ("*", "data"):
            now = stale.began_ms
        period = round(_RECOMPUTED_EVERY_MS * self._lag_scale)
        if period <= 0:
            return now
        return now // period * period - round(_PIPELINE_MS * self._lag_scale)


@attrs.frozen(kw_only=True)
class TradeQuery:
    """The filters of a trades request."""

    wallet: str | None = None
    condition_ids: frozenset[str] = frozenset()
    side: str | None = None
    taker_only: bool = True
    """True by default at the venue: a maker's fills are invisible unless asked for."""
    cash_min: Decimal | None = None
    tokens_min: Decimal | None = None
    since_s: int | None = None
    until_s: int | None = None

    def matches(self, fill: Fill) -> bool:
        """Returns whether a fill is meant."""
        return (
            (not self.taker_only or fill.is_taker)
            and (self.wallet is None or fill.wallet == self.wallet)
            and (not self.condition_ids or fill.market.condition_id in self.condition_ids)
            and (self.side is None or fill.side == self.side)
            and (self.since_s is None or fill.block_s >= self.since_s)
            and (self.until_s is None or fill.block_s <= self.until_s)
            and (self.cash_min is None or fill.notional_micro >= micro_from(self.cash_min))
            and (self.tokens_min is None or fill.size_micro >= micro_from(self.tokens_min))
        )


class TradeFeed:
    """The visible part of the ledger, newest first."""

    def __init__(self, ledger: Ledger, visibility: Visibility) -> None:
        self._ledger = ledger
        self._visibility = visibility

    def newest_first(self, query: TradeQuery, before_key: int | None = None) -> Iterator[Fill]:
        """Yields visible fills that a query means and that are older than `before_key`."""
        horizon_ms = self._visibility.horizon_ms()
        for fill in self._series(query).newest_first(before_key):
            if query.since_s is not None and fill.block_s < query.since_s:
                return
            if fill.published_ms <= horizon_ms and query.matches(fill):
                yield fill

    def oldest_first(self, query: TradeQuery, after_key: int | None = None) -> Iterator[Fill]:
        """Yields visible fills that a query means and that are newer than `after_key`."""
        horizon_ms = self._visibility.horizon_ms()
        for fill in self._series(query).oldest_first():
            newer = after_key is None or fill.key > after_key
            if newer and fill.published_ms <= horizon_ms and query.matches(fill):
                yield fill

    def of_wallet(self, wallet: str) -> Iterator[Fill]:
        """Yields every visible fill of a wallet, oldest first."""
        horizon_ms = self._visibility.horizon_ms()
        return (fill for fill in self._ledger.of_wallet(wallet).oldest_first() if fill.published_ms <= horizon_ms)

    def of_condition(self, condition_id: str) -> Iterator[Fill]:
        """Yields every visible fill of a market, oldest first."""
        horizon_ms = self._visibility.horizon_ms()
        fills = self._ledger.of_condition(condition_id).oldest_first()
        return (fill for fill in fills if fill.published_ms <= horizon_ms)

    def wallets(self) -> list[str]:
        """Returns every wallet that ever traded."""
        return list(self._ledger.wallets())

    def _series(self, query: TradeQuery) -> Series[Fill]:
        if query.wallet is not None:
            return self._ledger.of_wallet(query.wallet)
        if len(query.condition_ids) == 1:
            return self._ledger.of_condition(next(iter(query.condition_ids)))
        return self._ledger.platform()
