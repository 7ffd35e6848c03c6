"""What people and clients ask of live trading: reports, orders by hand, and passes that are made at once."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import attrs

from protocols.errors import EngineError
from protocols.live.orders import LiveIntent, LiveOrder, OrderType, Side

Row = Mapping[str, Any]
"""A row of a report: numbers are `Decimal` or `int`, times are datetimes."""


class LiveReports(Protocol):
    """What is looked at of live trading. Without `user_id` it is everybody's. All methods raise `TransientError`."""

    async def strategies(self, *, user_id: str | None = None, strategy_id: str | None = None) -> Sequence[Row]:
        """Returns live strategies with their money and figures, in the order of their ids."""
        ...

    async def orders(
        self,
        *,
        strategy_id: str | None = None,
        status: str | None = None,
        ended: bool | None = None,
        account: str | None = None,
        user_id: str | None = None,
        before: tuple[datetime, str] | None = None,
        rows_max: int = 100,
    ) -> Sequence[Row]:
        """Returns orders, newest first; `before` is (created_at, order_id) of the last one of the page before.

        `ended`: only those that ended, or only those that work.
        """
        ...

    async def positions(self, *, strategy_id: str | None = None, user_id: str | None = None) -> Sequence[Row]:
        """Returns open positions."""
        ...

    async def exits(
        self,
        *,
        strategy_id: str | None = None,
        user_id: str | None = None,
        ended: bool = False,
        before: tuple[datetime, str] | None = None,
        rows_max: int = 500,
    ) -> Sequence[Row]:
        """Returns obligations to sell, newest first, open ones only unless `ended`; `before` as of `orders`."""
        ...

    async def redeemable(self, *, user_id: str | None = None) -> Sequence[Row]:
        """Returns settled positions whose value waits for its redemption."""
        ...

    async def logs(
        self,
        *,
        level: str | None = None,
        stage: str | None = None,
        trace_id: str | None = None,
        execution_id: str | None = None,
        strategy_id: str | None = None,
        prefix: str | None = None,
        text: str | None = None,
        order_id: str | None = None,
        since: datetime | None = None,
        before_id: int | None = None,
        user_id: str | None = None,
        rows_max: int = 100,
    ) -> Sequence[Row]:
        """Returns lines of logs, newest first; `text` is contained in their messages, in whatever case."""
        ...

    async def halt(self) -> Row | None:
        """Returns who stopped all entries, why and when; None while nothing is stopped."""
        ...

    async def accounts(self) -> Sequence[Row]:
        """Returns the last comparison of each account with the venue."""
        ...


@attrs.frozen(kw_only=True)
class LiveJobs:
    """Passes of a running live engine that somebody may ask for now. Each returns how many things it looked at."""

    compare: Callable[[], Awaitable[object]]
    """Compares every account with the venue."""
    settle: Callable[[], Awaitable[object]]
    """Settles resolved markets."""
    look: Callable[[], None]
    """Has claims and obligations read from the database again; never waits."""


@attrs.frozen(kw_only=True)
class ManualOrder:
    """An order that a person asks for. Exactly one of `shares` and `usd` is given; `usd` goes with BUY only."""

    intent_id: str
    """The client's key: the same one again gives the same order."""
    account: str
    side: Side
    condition_id: str
    token_id: str
    limit_price: Decimal
    order_type: OrderType
    shares: Decimal | None = None
    usd: Decimal | None = None
    outcome: str | None = None
    trader: str | None = None
    """Whom it copies, where it copies."""
    auto_close_pct: Decimal | None = None
    """Of a BUY that copies: sells with the trader, at first so many percent below the last price; None: does not."""
    expires_in_s: int | None = None
    """Of GTD: seconds from the moment it is asked for. Not a time, since the same request has to be the same again."""


@attrs.frozen(kw_only=True)
class OrderView:
    """How an order stands."""

    order_id: str
    status: str
    """Of `OrderStatus`."""
    ended: bool
    is_known: bool
    """False: it was sent and nobody knows yet whether the venue has it. Asking for its status later tells."""
    order_hash: str | None = None
    limit_price: Decimal | None = None
    size_shares: Decimal | None = None
    lock_usd: Decimal | None = None
    filled_shares: Decimal = Decimal(0)
    filled_usd: Decimal = Decimal(0)
    reason: str | None = None
    detail: str | None = None


class IntentConflictError(EngineError):
    """The key of an order was used before, for another order."""


class ManualOrders(Protocol):
    """Orders by hand, of a running live engine. All methods raise `TransientError`."""

    async def place(self, order: ManualOrder, user_id: str) -> OrderView:
        """Places an order once for its key. Raises `IntentConflictError`, `RejectedError` for what will never do."""
        ...

    async def dry_run(self, order: ManualOrder) -> OrderView:
        """Prices, rounds and signs an order, and sends nothing. Raises `RejectedError` for what will never do."""
        ...

    async def get(self, order_id: str) -> tuple[str, OrderView] | None:
        """Returns the account of an order and how it stands; None when there is none of that id."""
        ...

    async def cancel(self, order_ids: Sequence[str]) -> Mapping[str, str]:
        """Cancels orders; returns by id why one was not cancelled."""
        ...

    async def working(self, account: str) -> Sequence[OrderView]:
        """Returns orders by hand of an account that have not ended."""
        ...

    def spendable(self, account: str) -> Decimal | None:
        """Returns what an account can still pay for new buys, USD; None while the venue has not said."""
        ...


class ManualStore(Protocol):
    """Where orders by hand are claimed and found. Both raise `TransientError`."""

    async def claim_keyed(
        self, user_id: str, key: str, request_hash: str, intent: LiveIntent, *, auto_close_pct: Decimal | None = None
    ) -> tuple[str, bool]:
        """Claims an order under a key of its user, once; returns the id of the order of that key, and whether it is new.

        With `auto_close_pct` what the account has of the copied trader in the token is sold when he closes his position.
        Raises `IntentConflictError` when the key belongs to another request, and `FencedError`.
        """
        ...

    async def find(self, order_id: str) -> LiveOrder | None:
        """Returns an order by its id, whatever became of it."""
        ...


__all__ = [
    "IntentConflictError",
    "LiveJobs",
    "LiveReports",
    "ManualOrder",
    "ManualOrders",
    "ManualStore",
    "OrderView",
    "Row",
]
