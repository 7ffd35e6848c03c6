"""Prices of markets: what an upstream says, what an asker gets, what is stored, and the ports between."""

import enum
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import attrs
import msgspec


class MarketFacts(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One market as one source described it. What the source does not say is None: no price is ever invented (D56)."""

    condition_id: str
    """Lower case, 64 hex digits."""
    question: str | None = None
    slug: str | None = None
    event_slug: str | None = None
    closed: bool = False
    outcomes: tuple[str, ...] = ()
    outcome_prices: tuple[Decimal, ...] | None = None
    """USD a share, 0 to 1, in the order of `outcomes`."""
    token_ids: tuple[str, ...] = ()
    """In the order of `outcomes`; empty when the source does not tell them."""
    end_date_iso: str | None = None
    game_start_time: str | None = None
    market_avatar_url: str | None = None
    event_status: str | None = None
    score: str | None = None
    home_team: str | None = None
    away_team: str | None = None
    espn_url: str | None = None
    crypto_symbol: str | None = None
    crypto_price_usd: Decimal | None = None
    description: str | None = None
    tags: tuple[str, ...] | None = None
    category: str | None = None
    enable_order_book: bool | None = None
    active: bool | None = None
    accepting_orders: bool | None = None
    resolution_status: str | None = None
    """Lower case; `resolved` also where a source names the winner instead."""
    negative_risk: bool | None = None
    tick_size: Decimal | None = None
    """USD a share."""
    order_size_min: Decimal | None = None
    """Shares."""


class PriceSource(enum.StrEnum):
    """Where a quote comes from."""

    GAMMA = "gamma"
    CLOB = "clob"
    DATABASE = "database"


@attrs.frozen(kw_only=True, eq=False)
class Quote:
    """One observation of a market. `document` and `stamp` together are its JSON, up to what depends on the moment."""

    facts: MarketFacts
    source: PriceSource
    resolved: bool
    """Its prices are payouts: they never change again."""
    as_of_ms: int | None
    """Wall-clock time when the source was asked; None when nobody knows."""
    observed_s: float
    """The same in monotonic time; -inf when nobody knows."""
    document: bytes = attrs.field(repr=False)
    stamp: bytes = attrs.field(repr=False)
    stale: bool = False
    """Older than was asked for, because no upstream gave a newer one."""


@attrs.frozen(kw_only=True)
class StoredMarket:
    """A row of `markets`."""

    facts: MarketFacts
    as_of_ms: int | None
    """When its prices were seen last, at the earliest."""


@attrs.frozen(kw_only=True)
class PriceWrite:
    """What is kept of a quote in `markets`."""

    condition_id: str
    outcome_prices: tuple[Decimal, ...] | None
    closed: bool
    accepting_orders: bool | None
    resolution_status: str | None
    observed_ms: int
    requested_ms: int


class MarketKey(enum.StrEnum):
    """By what a market is looked up."""

    CONDITION = "condition"
    SLUG = "slug"
    TOKEN = "token"  # noqa: S105


@attrs.frozen
class MarketName:
    """A slug or a token, before its market is known."""

    key: MarketKey
    text: str

    def names(self, facts: MarketFacts) -> bool:
        """Returns whether a market is the one meant."""
        return facts.slug == self.text if self.key is MarketKey.SLUG else self.text in facts.token_ids


@attrs.frozen(kw_only=True)
class Found:
    """An upstream's answer to one look-up: only markets that were asked for."""

    markets: Sequence[MarketFacts]
    complete: bool = True
    """False when a part was not understood, so that a market which is not there may still exist."""


class PriceUpstream(Protocol):
    """The venue's catalogue with its prices."""

    async def find(self, key: MarketKey, values: Sequence[str], *, closed: bool | None) -> Found:
        """Returns the markets with these ids, slugs or tokens, in one call. `closed` None does not filter.

        Raises `TransientError`, and `RejectedError` when it dislikes one of the values without saying which.
        """
        ...


class PriceFallback(Protocol):
    """A second source of one market at a time."""

    async def market(self, condition_id: str) -> MarketFacts | None:
        """Returns the market, or None when this source has no prices for it. Raises `TransientError`."""
        ...


class PriceStore(Protocol):
    """Rows of `markets`. All methods raise `TransientError`."""

    async def find(
        self, condition_ids: Sequence[str], names: Sequence[MarketName]
    ) -> tuple[list[StoredMarket], Mapping[MarketName, str]]:
        """Returns the rows with these ids or names, and the condition id of each name that has one. One crossing."""
        ...

    async def write(self, writes: Sequence[PriceWrite]) -> None:
        """Brings rows up to date, none of them to an older observation. Raises `RejectedError` too. One crossing."""
        ...


class BookTop(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The best orders of one token; prices in USD a share, sizes in shares."""

    token: str
    condition_id: str
    best_bid: Decimal | None
    best_bid_size: Decimal | None
    best_ask: Decimal | None
    best_ask_size: Decimal | None
    tick_size: Decimal | None
    order_size_min: Decimal | None
    negative_risk: bool | None
    last_trade_price: Decimal | None
    book_time_ms: int | None
    """The venue's own time of the book."""


class BookUpstream(Protocol):
    """Order books."""

    async def book(self, token_id: str) -> BookTop | None:
        """Returns the top of a token's book, or None when the venue has no book for it. Raises `TransientError`."""
        ...
