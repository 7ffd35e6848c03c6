"""What copying a trader would have made, as it is computed, kept and shown; and the ports of it.

Money is USD, returns are parts of one of the stake, sizes are USD a copied trade. What nobody knows is None, never 0 (I8).
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import attrs
import msgspec

from protocols.jobs import JobLease

SIZE_USD_MIN, SIZE_USD_MAX = Decimal("0.01"), Decimal(100_000)
SIZE_USD_DEFAULT = Decimal(20)
DAYS_DEFAULT, DAYS_MAX = 90, 365


class StyleFlag(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A kind of trader whose results need a second look."""

    name: str
    """market_maker, high_frequency, both_sides, size_jump or inactive."""
    evidence: str


class CopyCosts(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What was lost on the way from the leader's prices to ours. USD; negative is a gain."""

    delay: Decimal
    """The price moved before our orders were there."""
    spread: Decimal
    depth: Decimal
    """Slippage: what stood behind the best price was dearer."""
    fees: Decimal


class SizeResult(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The same trades at another size."""

    size_usd: Decimal
    copied: int
    stake: Decimal
    net: Decimal
    net_return: Decimal | None
    filled: Decimal | None
    """Part of the wanted stakes that the books had."""


class CopyAssumptions(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What the figures rest on."""

    delay_ms: int
    """From the trade to our order in the book."""
    delay_source: str
    depth_source: str
    model: str
    """Version of the computation: results of different ones are not compared."""


class Copyability(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What copying a trader at one size would have made."""

    wallet: str
    size_usd: Decimal
    since: datetime
    until: datetime
    computed_at: datetime
    grade: str
    """good, likely, unlikely, bad; or not_enough, and then there is no return."""
    sentence: str
    trades: int
    """His trades within the time, purchases and sales."""
    decisions: int
    """Purchases: fills of one transaction are one."""
    copied: int
    """Of these, those that were bought and have ended, by sale or resolution."""
    days: int
    """UTC days with such; those in one market count to the day of the first."""
    won: int
    lost: int
    left_out: dict[str, int]
    """Why the others were not copied, or do not count."""
    wanted: Decimal
    stake: Decimal
    """USD paid for shares; less than wanted where books were thin."""
    gross: Decimal
    """Profit of the same shares at the leader's prices, without fees."""
    costs: CopyCosts
    net: Decimal
    """gross less all costs."""
    net_return: Decimal | None
    """net by stake; None where that would not be evidence."""
    low: Decimal | None
    """Of the interval in which the return lies at `level`."""
    high: Decimal | None
    level: Decimal
    capacity: str
    """none, found, above or unknown: whether there is a size at which the profit is gone."""
    capacity_usd: Decimal | None
    sizes: list[SizeResult]
    flags: list[StyleFlag]
    sales_below_minimum: int
    """Copied sales of less than the venue's 1 USD: counted as sold, though the venue may refuse them."""
    truncated: bool
    """He made more trades than are looked at; the newest count."""
    assumptions: CopyAssumptions


@attrs.frozen(kw_only=True)
class DueTraders:
    """Whom a run has to look at next."""

    wallets: Sequence[str]
    after: tuple[int, str] | None
    """Where the next page begins; None: this was the last."""


class CopyabilityStore(Protocol):
    """Where results are kept. All methods raise `TransientError`; those that take a lease also `FencedError`."""

    async def due(
        self, *, top: int, computed_before: datetime, after: tuple[int, str] | None, wallets_max: int
    ) -> DueTraders:
        """Returns followed, copied, hot and leading traders whose result is older, the nearest to us first."""
        ...

    async def put(self, lease: JobLease, results: Sequence[Copyability]) -> int:
        """Keeps results, each in the place of the one before; returns how many."""
        ...

    async def drop_stale(self, lease: JobLease, computed_before: datetime, rows_max: int) -> int:
        """Deletes results that nobody has renewed for long; returns how many, at most `rows_max`."""
        ...


class CopyabilityReports(Protocol):
    """What is shown of results. All methods raise `TransientError`; none of them writes."""

    async def find(self, wallet: str) -> Copyability | None:
        """Returns the kept result of a trader."""
        ...


@attrs.frozen(kw_only=True)
class SeenTrade:
    """A trade of anybody."""

    at_ms: int
    """Of its block: by then the match has happened, so that whole seconds never tell anything too early."""
    token_id: str
    condition_id: str
    price: Decimal
    size_micro: int


@attrs.frozen(kw_only=True)
class SeenPlace:
    """Where a page of such trades ended."""

    market: int
    """The first of the markets, in the order of their ids, that were read together."""
    at: datetime
    ingest_seq: int


@attrs.frozen(kw_only=True)
class SeenPage:
    """Trades of anybody, and where the next page goes on; None: this was the last."""

    trades: Sequence[SeenTrade]
    after: SeenPlace | None


@attrs.frozen(kw_only=True)
class SeenBook:
    """The best orders of a real book that the engine looked at when it decided. USD a share."""

    token_id: str
    best_bid: Decimal
    best_ask: Decimal
    ask_shares: Decimal


@attrs.frozen(kw_only=True)
class MeasuredDelay:
    """How long it takes from a trade of a leader to our order in the book."""

    delay_ms: int
    source: str
    """How that is known, for people."""


class CopyabilityInputs(Protocol):
    """What a computation reads besides trades and markets. All methods raise `TransientError`."""

    async def prices(
        self, condition_ids: Sequence[str], since_ms: int, until_ms: int, after: SeenPlace | None = None
    ) -> SeenPage:
        """Returns the next trades of everybody in markets, of each market in the order of time."""
        ...

    async def books(self, now_ms: int) -> list[SeenBook]:
        """Returns the books of the last days that had both sides, the newest ones."""
        ...

    async def delay(self, now_ms: int) -> MeasuredDelay | None:
        """Returns what this engine measured lately; None where it has too few trades to say."""
        ...
