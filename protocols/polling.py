"""Ports of the wallet pollers: where they keep how far they came, and what they ask of the ingest around them."""

import enum
from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from protocols.ingest import TargetView
from protocols.jobs import JobLease
from protocols.positions import KnownWallet, MarketEnd, PositionBooking
from protocols.venue.data_api import PageRow


class TradeList(enum.StrEnum):
    """Which of the venue's lists of an account's trades. Neither is complete for everybody (D86)."""

    ACTIVITY = "activity"
    TRADES = "trades"


class PollKind(enum.StrEnum):
    """What a call is made for."""

    POSITIONS = "positions"
    TRADES = "trades"
    CONFIRMATION = "confirmation"
    """Is it really gone? Asked of a few markets before a position is closed."""
    EVIDENCE = "evidence"
    """How did it go?"""


@attrs.frozen(kw_only=True)
class Watermark:
    """Every trade that a source showed up to this second has been handed to the ingest; the second itself is read again."""

    wallet: str
    source: TradeList
    second: int


@attrs.frozen(kw_only=True)
class PolledWallet:
    """How far polling a wallet has come."""

    known: KnownWallet
    watermarks: Mapping[TradeList, int] = attrs.field(factory=dict)
    """Seconds; absent before the first reading."""


class PollStore(Protocol):
    """Where watermarks and positions are kept, under one lease. All methods raise `TransientError` with the database.

    Those that write raise `FencedError` when the lease is somebody else's.
    """

    async def polled(self, wallet: str) -> PolledWallet:
        """Returns what is stored of a wallet; nothing of one that was never polled."""
        ...

    async def book(self, booking: PositionBooking) -> bool:
        """Books a snapshot in one transaction; False when another one was booked since it was begun, and nothing is done."""
        ...

    async def failed(self, wallet: str, error: str, *, at_ms: int) -> None:
        """Notes that a poll failed: others are due before this wallet is tried again."""
        ...

    async def keep_watermarks(self, watermarks: Sequence[Watermark]) -> None:
        """Moves watermarks on; one that is further already stays."""
        ...

    async def market_ends(self, condition_ids: Sequence[str]) -> Mapping[str, MarketEnd]:
        """Returns what our own table says of markets."""
        ...

    async def hot_wallets(self) -> list[str]:
        """Returns the wallets that are marked hot."""
        ...


class ColdPollStore(PollStore, Protocol):
    """The same, for whoever polls those that the hot tier does not."""

    async def least_lately_polled(self, *, before_ms: int, wallets_max: int) -> list[str]:
        """Returns active traders whose last poll was before a wall-clock time, those first whose poll is longest ago."""
        ...


class ColdPollStores(Protocol):
    """Hands out the store of a job's run."""

    def under(self, lease: JobLease) -> ColdPollStore:
        """Returns a store whose writes are fenced by the lease of a job."""
        ...


class StreamCoverage(Protocol):
    """Whether the stream can be relied on."""

    def covered_since_s(self) -> float | None:
        """Returns the monotonic time since when the stream missed nothing and every gap before is read; None while not."""
        ...


class TradeDoor(Protocol):
    """The way into the ingest for trades that were found in the venue's history, in this process or another."""

    @property
    def targets(self) -> TargetView:
        """Whose trades are wanted."""
        ...

    async def send(self, rows: Sequence[PageRow], source: str) -> int:
        """Hands over the rows of one response that are wanted, and returns how many. Raises `TransientError`."""
        ...
