"""The feed: trades of followed wallets, newest first in pages and in commit order as a stream."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import attrs
import msgspec


class FeedRow(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One trade as the feed shows it, in a page and in the stream alike.

    Names and pictures are the trade's own where it has them, else those of `traders` and `markets`; the outcome of a trade
    that came without one is told by its token.
    """

    trade_id: str
    trader_wallet: str
    trader_name: str | None
    trader_image: str | None
    transaction_hash: str
    asset: str
    """Token id."""
    condition_id: str
    side: str
    price: Decimal
    """USD a share, 0 to 1."""
    size: Decimal
    """Shares."""
    timestamp: int
    """Seconds since the epoch."""
    outcome: str | None
    title: str | None
    slug: str | None
    event_slug: str | None
    outcome_prices: tuple[Decimal, ...] | None
    """Last stored prices of the market's outcomes in its own order; None when there are none."""
    image: str | None


@attrs.frozen(kw_only=True)
class FeedPosition:
    """Where a page ended. Time alone is no position: many trades share one second."""

    trade_us: int
    """Microseconds since the epoch."""
    trade_id: str


@attrs.frozen(kw_only=True)
class FeedQuery:
    """One page: the newest `limit` trades of wallets that a user follows, older than `before`, not older than `since_ms`."""

    user_id: str
    limit: int
    since_ms: int
    before: FeedPosition | None = None
    wallets: tuple[str, ...] = ()
    """Only trades of these; empty: of all that he follows."""
    side: str | None = None
    condition_id: str | None = None
    is_copied: bool = False
    """Trades that strategies of this user copied, whether he follows their traders or not; `condition_id` is left aside."""
    strategy: str | None = None
    """With `is_copied`: only copies by this strategy of his."""


@attrs.frozen(kw_only=True)
class FeedPage:
    """Trades, newest first; equal times in descending order of trade ids."""

    rows: tuple[FeedRow, ...]
    next: FeedPosition | None
    """None at the end."""
    followed: bool
    """False when the user follows none of the wallets asked for; of copies: when he has no such strategy."""
    trade_us: tuple[int, ...] = ()
    """Of each row its exact time: with the trade id it is the row's position."""


class FeedStore(Protocol):
    """Where pages come from."""

    async def page(self, query: FeedQuery) -> FeedPage:
        """Reads one page with one statement. Raises `TransientError`."""
        ...

    async def trade(self, trade_id: str) -> FeedRow | None:
        """Returns one stored trade, whoever follows its trader. Raises `TransientError`."""
        ...


class TradeCopy(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A strategy that copied a trade, on paper and perhaps with real money after it."""

    wallet_id: str
    display_name: str
    outcome: str
    """OPEN, WON, LOST, SOLD or VOID."""


class FeedFactStore(Protocol):
    """What is known about trades besides themselves. All methods raise `TransientError`."""

    async def held(self, positions: Collection[tuple[str, str]]) -> Collection[tuple[str, str]]:
        """Returns those pairs of wallet and token that the wallet still holds, as far as it was looked at."""
        ...

    async def copies(self, trade_ids: Sequence[str]) -> Mapping[str, Sequence[tuple[str, TradeCopy]]]:
        """Returns by trade which strategies copied it, each with the id of its owner."""
        ...


@attrs.frozen(kw_only=True)
class FeedBatch:
    """What was committed after some point, as far as anybody follows it."""

    rows: Sequence[tuple[int, FeedRow]]
    """`ingest_seq` and row, rising."""
    read_to: int
    """Everything up to this `ingest_seq` has been looked at."""
    newest: int
    """The highest `ingest_seq` of the database; 0 when it is empty."""
    follows_version: int
    """Changes whenever somebody's follows may have changed."""


class FeedStreamStore(Protocol):
    """Where the stream comes from. All methods raise `TransientError`."""

    async def newest_seq(self) -> int:
        """Returns the highest `ingest_seq`; 0 in an empty database."""
        ...

    async def committed_after(self, seq: int, rows_max: int) -> FeedBatch:
        """Looks at the next `rows_max` trades in commit order."""
        ...

    async def of_user(self, user_id: str, *, after: int, until: int, rows_max: int) -> Sequence[tuple[int, FeedRow]]:
        """Returns the first trades of a user's wallets with after < ingest_seq <= until, rising."""
        ...

    async def changed_follows(self, known: Mapping[str, str]) -> Mapping[str, tuple[str, Collection[str]]]:
        """Takes user ids with the digest of the wallets that each was last known to follow (empty: none known).

        Returns digest and wallets of those users for whom the digest is another one.
        """
        ...
