"""What users copied: fills of one shape, what tokens are worth, and where both are read.

Amounts are whole micro-shares and micro-USD, so that thousands of fills are matched exactly and fast.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

import attrs
import msgspec

from protocols.jobs import JobLease

Row = Mapping[str, Any]
"""A row of a listing: numbers are `Decimal` or `int`, times are datetimes."""


class CopiedFill(NamedTuple):
    """One fill of one copied order, or the sale of what is left of one (`closes`)."""

    scope: str
    """Within which purchases and sales are matched: a live strategy, an account by hand, or the copies of one trader."""
    token_id: str
    """`market::outcome` where nobody knows the token."""
    order_id: str
    trader: str | None
    """The copied wallet."""
    side: str
    """BUY, SELL, or CLOSE: what is left of the order of the same id is sold."""
    shares: int
    """Micro-shares; of CLOSE those of the whole order."""
    usd: int
    """Micro-USD without fee, for these shares."""
    fee: int
    """Micro-USD."""
    at_us: int
    """Microseconds since the epoch."""
    settled_usd: int | None = None
    """USD a share, 1 or 0, that live trading has settled the purchase at."""
    settled_us: int | None = None


class TokenFacts(msgspec.Struct, frozen=True):
    """What is stored of a token. Prices are USD a share; None is unknown, never 0 or a half (D56)."""

    token_id: str
    condition_id: str | None = None
    outcome: str | None = None
    outcome_index: int | None = None
    market_title: str | None = None
    market_slug: str | None = None
    event_slug: str | None = None
    payout: Decimal | None = None
    """Of a resolved market; it has no prices then."""
    resolved_us: int | None = None
    mark: Decimal | None = None
    """`orders.current_price`, as the last refresh left it."""
    mark_us: int | None = None
    market_price: Decimal | None = None
    """Of `markets.outcome_prices`."""
    market_us: int | None = None


@attrs.frozen(kw_only=True)
class OfficialResult:
    """What the venue says of a token in the wallets of a user, USD and shares."""

    token_id: str
    realized_pnl: Decimal
    bought_shares: Decimal | None
    """None while it is held: the venue says then what is held."""
    avg_price: Decimal | None
    is_held: bool
    """Not sold and not redeemed to its end."""
    synced_us: int


ORDER_KINDS = ("live", "manual", "recorded")
"""By a live strategy, by hand, made elsewhere."""


@attrs.frozen(kw_only=True)
class PortfolioQuery:
    """Whose copies, and which of them."""

    user_id: str
    accounts: Mapping[str, str] = attrs.field(factory=dict)
    """The accounts of the user, each with its wallet in lower case; an empty text where nobody knows it."""
    strategy_id: str | None = None
    account: str | None = None
    token_ids: Collection[str] | None = None
    """Only these; None: all."""

    @property
    def is_whole(self) -> bool:
        """Returns whether nothing is left out."""
        return self.strategy_id is None and self.account is None and self.token_ids is None


class TakesFills(Protocol):
    """What fills are read into."""

    def take(self, fills: Sequence[CopiedFill]) -> None:
        """Takes the next fills, in the order of their times."""
        ...

    def open_tokens(self) -> Collection[str]:
        """Returns the tokens of which something is left, or was when their markets were resolved."""
        ...


Stamps = Mapping[str, str]
"""By token, what changes whenever an order of the user in it does."""


@attrs.frozen(kw_only=True)
class OrderCursor:
    """The last order of the page before."""

    at_us: int
    order_id: str


@attrs.frozen(kw_only=True)
class NewCopy:
    """A copy that was made elsewhere and is recorded."""

    user_id: str
    record_id: str | None
    """Chosen by the client, so that the same one is recorded once; None: the database makes one."""
    trader: str | None
    condition_id: str
    token_id: str | None
    outcome: str | None
    side: str
    price: Decimal
    shares: Decimal
    fee_usd: Decimal
    at: datetime


class Recorded(NamedTuple):
    """What became of a copy that was to be recorded."""

    order_id: str
    is_new: bool


class Closing(NamedTuple):
    """What became of a copy that was to be closed."""

    exit_price: Decimal
    changed: bool


class CopiedFrom(NamedTuple):
    """Something of a trader's that a user still holds."""

    trader: str
    token_id: str
    since_us: int
    """The user's last fill."""


@attrs.frozen(kw_only=True)
class NewMark:
    """A price to be kept for a token."""

    token_id: str
    condition_id: str
    price: Decimal
    priced_ms: int


class PortfolioStore(Protocol):
    """Copies in the database. All methods raise `TransientError`."""

    async def read(
        self, query: PortfolioQuery, known: Stamps | None, into: Callable[[Collection[str]], TakesFills]
    ) -> tuple[Stamps, Mapping[str, TokenFacts]]:
        """Reads the fills of tokens whose stamps are not those that are known; all of them without any.

        `into` is told which tokens these are, also those that are gone, and returns what takes their fills. Returns all stamps,
        and what is stored of the tokens that are open afterwards. All of it is as of one moment.
        """
        ...

    async def facts(self, token_ids: Collection[str]) -> Mapping[str, TokenFacts]:
        """Returns what is stored of tokens."""
        ...

    async def official(self, query: PortfolioQuery, token_ids: Collection[str]) -> Mapping[str, OfficialResult]:
        """Returns what the venue says of tokens in the user's wallets, each once."""
        ...

    async def orders(
        self, query: PortfolioQuery, *, before: OrderCursor | None, rows_max: int, kind: str | None = None
    ) -> Sequence[Row]:
        """Returns copied orders that were filled, newest first; with one of `ORDER_KINDS` only those."""
        ...

    async def trader_names(self, wallets: Collection[str]) -> Mapping[str, str]:
        """Returns the names of wallets that have one."""
        ...

    async def user_id_of(self, user_name: str) -> str | None:
        """Returns the id of a user, or None."""
        ...


class CopyRecords(Protocol):
    """Copies that users record, and what is noted on them. All methods raise `TransientError`."""

    async def held_by_traders(self, user_id: str, pairs: Sequence[CopiedFrom]) -> Sequence[Row]:
        """Returns for each whether the trader still holds it, as his last snapshot says, and notes it on recorded copies.

        Rows have `trader`, `token_id`, `still_holds` (None: nobody knows), `shares`, `checked_at`, `closed_at` and
        `closed_reason`.
        """
        ...

    async def record(self, copy: NewCopy) -> Recorded | None:
        """Records a copy, once for its id; None: its market has no such outcome, or is not stored.

        Raises `RejectedError` when the id belongs to another copy.
        """
        ...

    async def close(self, user_id: str, order_id: str, price: Decimal, at: datetime) -> Closing | None:
        """Notes for how much what is left of a recorded purchase was sold; one that is closed stays so. None: no such one."""
        ...

    async def remove(self, user_id: str, order_id: str) -> bool:
        """Forgets a recorded copy; returns whether there was one."""
        ...

    async def mark(self, marks: Sequence[NewMark]) -> int:
        """Keeps prices that are newer than those there; returns how many were."""
        ...


@attrs.frozen(kw_only=True)
class Refreshed:
    """What one transaction of the job did."""

    tokens: int
    """Open copied tokens that it looked at."""
    marked: int
    """Prices that were new."""
    orders: int
    """Rows of `orders` that changed."""
    token_after: str | None
    """Where the next one goes on; None at the end."""


class CopyMarkStore(Protocol):
    """What the job refresh-copy-pnl writes, from stored prices alone. Both raise `TransientError` and `FencedError`."""

    async def find_tokens(self, lease: JobLease, *, rows_max: int) -> int:
        """Names the tokens of recorded copies whose market is stored by now; returns how many rows changed."""
        ...

    async def refresh(self, lease: JobLease, *, token_after: str, tokens_max: int, now_ms: int) -> Refreshed:
        """Keeps the prices of open copied tokens, in the order of tokens, and what became of their markets."""
        ...


FindAccounts = Callable[[str], Mapping[str, str]]
"""From the name of a user to his accounts of the configuration, each with its wallet."""
