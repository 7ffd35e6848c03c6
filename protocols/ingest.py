"""Messages and ports of the ingest: gaps in the stream, the sets of wallets, and where trades are kept."""

import enum
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

import attrs

from protocols.markets import Market
from protocols.receipts import Receipt
from protocols.trades import Lane, LanedTrade
from protocols.venue.data_api import TradePage


class GapReason(enum.StrEnum):
    """Why an interval of the stream has to be read again."""

    START = "start"
    RECONNECT = "reconnect"
    STALL = "stall"
    RECYCLE = "recycle"
    """A planned change of socket with overlap: nothing should be missing, two calls make sure."""
    OVERFLOW = "overflow"
    """Rows were seen and could not be kept."""


@attrs.frozen(kw_only=True)
class GapRequest:
    """An interval of trade time (epoch ms) that may be incomplete. `since_ms` None means: from the last committed trade."""

    reason: GapReason
    since_ms: int | None
    until_ms: int


@attrs.frozen(kw_only=True)
class TargetSets:
    """Which wallets matter, and how much. Wallets are lower case."""

    lanes: Mapping[str, Lane]
    version: int
    everyone: bool = False
    """A strategy copies every trade of the platform: wallets that nobody named are lane 0, too."""

    def wallets(self, *lanes: Lane) -> list[str]:
        """Returns the wallets of some lanes, most important lane first."""
        chosen = [wallet for wallet, lane in self.lanes.items() if lane in lanes]
        return sorted(chosen, key=lambda wallet: self.lanes[wallet])


class TargetView(Protocol):
    """The last good wallet sets."""

    def current(self) -> TargetSets:
        """Returns the sets as last read; never waits."""
        ...


class WebSocketLike(Protocol):
    """One open socket of the venue."""

    async def receive_many(self, messages_max: int) -> list[str | bytes]:
        """Waits for a message, then takes what is there. Raises `TransientError` when the connection is gone."""
        ...

    async def send(self, message: str) -> None:
        """Sends a text message. Raises `TransientError` when the connection is gone."""
        ...

    async def aclose(self) -> None:
        """Closes the socket; bounded in time, never raises for a peer that is gone."""
        ...


class StreamDialer(Protocol):
    """Opens sockets to the real-time data stream."""

    async def dial(self) -> WebSocketLike:
        """Connects. Raises `TransientError` with a readable reason."""
        ...


class TradeHistory(Protocol):
    """The venue's own record of trades: late, but complete."""

    async def page(self, *, since_s: int, until_s: int, wallet: str | None, cursor: str | None) -> TradePage:
        """Returns one page of trades with since_s <= timestamp <= until_s, newest first, of one wallet or of all.

        Raises `TransientError` to try again later and `RejectedError` when this kind of request is refused.
        """
        ...


class TargetStore(Protocol):
    """Where follows, strategies and known traders are kept. All methods raise `TransientError`."""

    async def version(self) -> int:
        """Returns a number that changes whenever the sets may have changed."""
        ...

    def wallets(self) -> AsyncIterator[Sequence[tuple[str, Lane]]]:
        """Yields chunks of (wallet, lane); a wallet may occur more than once, the smallest lane counts."""
        ...

    async def everyone(self) -> bool:
        """Returns whether some strategy copies every trade of the platform."""
        ...

    async def wait_changed(self, timeout_s: float) -> None:
        """Returns when the sets may have changed, at the latest after `timeout_s`."""
        ...


class TradeStore(Protocol):
    """Where trades are kept, exactly once."""

    async def write(self, trades: Sequence[LanedTrade]) -> "WriteResult":
        """Commits trades in one transaction, in order.

        Raises `TransientError` when the database may accept the same batch later, `RejectedError` when it never will,
        `FencedError` when another engine holds the lease.
        """
        ...


class GapStore(Protocol):
    """What a start has to know of the runs before. All methods raise `TransientError` when the database is down."""

    async def last_trade_ms(self) -> int | None:
        """Returns the time of the newest committed trade, or None when there is none. Never later than its commit."""
        ...

    async def unread_gaps(self) -> list[GapRequest]:
        """Returns the gaps that were kept last, earliest end first; each has a start time."""
        ...

    async def keep_unread_gaps(self, gaps: Sequence[GapRequest]) -> None:
        """Keeps these gaps instead of those that were kept before.

        Raises `FencedError` when another engine holds the lease.
        """
        ...


@attrs.frozen(kw_only=True)
class WriteResult:
    """What one commit changed."""

    inserted: int
    repeated: int
    """Rows that were there already: a replay, or another source."""
    receipts: tuple[Receipt, ...] = ()
    """One for each decision of the batch, in its order."""


class SpillStore(Protocol):
    """A bounded journal on disk for trades that the database cannot take now.

    Segments are replayed in order: `seal` closes the one being written, `read_oldest` reads the first one whole.
    """

    async def append(self, trades: Sequence[LanedTrade]) -> None:
        """Writes trades durably. Raises `StorageFullError` when they do not fit; then none of them was kept."""
        ...

    async def read_oldest(self) -> tuple[LanedTrade, ...] | None:
        """Seals the newest segment if it is the only one, and returns the trades of the oldest; None when empty."""
        ...

    async def discard_oldest(self) -> None:
        """Forgets the oldest segment, whose trades are committed."""
        ...

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        ...


class MarketStore(Protocol):
    """Where markets and their tokens are kept."""

    async def missing(self, condition_ids: Sequence[str]) -> list[str]:
        """Returns those ids that have no market row."""
        ...

    async def traded_without_market(self, after: str, ids_max: int) -> tuple[list[str], str]:
        """Looks at the next `ids_max` condition ids of stored trades, in their order, beginning after one.

        Returns those without a market row, and the id to go on after, which is empty when all have been looked at.
        """
        ...

    async def upsert(self, markets: Sequence[Market]) -> None:
        """Writes markets and their tokens in one transaction. Raises as `TradeStore.write`."""
        ...


class MarketCatalog(Protocol):
    """The venue's own record of markets."""

    async def markets(self, condition_ids: Sequence[str], *, closed: bool | None) -> list[Market]:
        """Returns the markets that the venue has among the ids, verified by id. `closed` None does not filter.

        Raises `TransientError` to try again later.
        """
        ...


class NewestMarkets(Protocol):
    """The latest part of the venue's record of markets."""

    async def newest(self, markets_max: int) -> list[Market]:
        """Returns the open markets that were made last, newest first, 100 at most.

        Raises `TransientError` to try again later and `RejectedError` when the venue has no such list.
        """
        ...
