"""Virtual money: balances of strategies, open positions, settlement, and the ports where they are kept."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import attrs

from protocols.conflicts import MarketFills
from protocols.decisions import Book, Inputs, MarketInput, Score, TraderRecord
from protocols.trades import Trade

SettlePass = Callable[[], Awaitable[Mapping[str, int]]]
"""Settles once what can be settled now, and says what it came to."""


@attrs.frozen(kw_only=True)
class Balance:
    """The running account of one strategy: a row of `ft_balances`. USD.

    cash + open_cost = starting + realized_pnl, at all times, to the micro-USD (I1); nothing of it is ever read from settled
    orders.
    """

    starting: Decimal
    cash: Decimal
    open_cost: Decimal = Decimal(0)
    """Stakes and fees of what is open."""
    realized_pnl: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    orders: int = 0
    open_orders: int = 0
    won: int = 0
    lost: int = 0
    sold: int = 0
    void: int = 0
    stakes: Decimal = Decimal(0)
    """Sum of all stakes, for the mean."""
    final_pnl_sum: Decimal = Decimal(0)
    """Over orders that are no longer open."""
    final_pnl_squares: Decimal = Decimal(0)
    """For the standard deviation of a Sharpe ratio."""
    peak_equity: Decimal = Decimal(0)
    """Highest starting + realized_pnl so far."""
    max_drawdown: Decimal = Decimal(0)
    """Largest fall of realised equity below its peak, USD."""
    max_drawdown_ratio: Decimal = Decimal(0)
    """The same as a share of the peak it fell from."""


@attrs.frozen(kw_only=True)
class OpenOrder:
    """An open paper position."""

    order_id: str
    wallet_id: str
    trader: str
    condition_id: str
    token_id: str
    trade_ms: int
    entry_price: Decimal
    shares: Decimal
    """Still open."""
    cost: Decimal
    """Of the open shares: stake and fee, USD."""
    realized: Decimal = Decimal(0)
    """Profit of what was sold of it before."""
    event_slug: str | None = None


@attrs.frozen(kw_only=True)
class Account:
    """One strategy's money as a start finds it."""

    wallet_id: str
    balance: Balance
    open_orders: tuple[OpenOrder, ...]


@attrs.frozen(kw_only=True)
class UndecidedTrade:
    """A stored trade of lane 0, and the parts that have been decided about it."""

    trade: Trade
    parts: frozenset[str]
    """Also of aggregates that it is a member of."""


@attrs.frozen(kw_only=True)
class Holding:
    """What a trader held of a token at some time, as the venue says."""

    wallet: str
    token_id: str
    micro: int
    as_of_ms: int


@attrs.frozen(kw_only=True)
class SeenFill:
    """A stored trade of a trader in a token, for his holding since the venue was asked."""

    trade_id: str
    wallet: str
    token_id: str
    side: str
    size_micro: int
    trade_ms: int


class PaperStore(MarketFills, Protocol):
    """What the forward tester reads and keeps besides decisions. All methods raise `TransientError`."""

    async def accounts(self, wallet_ids: Sequence[str]) -> list[Account]:
        """Returns balances and open orders; a strategy that does not exist is left out. One snapshot."""
        ...

    async def recent_decisions(self, since_ms: int) -> list[UndecidedTrade]:
        """Returns the trades of lane 0 since then, in the order of their commits, with the parts decided about each."""
        ...

    async def holdings(self, pairs: Sequence[tuple[str, str]]) -> tuple[list[Holding], list[SeenFill]]:
        """Returns what is known of traders' holdings by (wallet, token), and every stored fill of those pairs."""
        ...

    async def keep_holding(self, holding: Holding) -> None:
        """Keeps what the venue said."""
        ...


class DecisionMarkets(Protocol):
    """Markets as decisions see them. Raises `TransientError`."""

    async def find(self, condition_ids: Sequence[str]) -> Mapping[str, MarketInput]:
        """Returns the markets that are stored, in one query."""
        ...


class TraderRecords(Protocol):
    """Records of traders. Raises `TransientError`."""

    async def find(self, wallets: Sequence[str]) -> Mapping[str, TraderRecord]:
        """Returns the records that there are, in one query."""
        ...

    async def changed_since(self, position: int) -> tuple[Mapping[str, TraderRecord], int]:
        """Returns records that changed after a position, and the position reached; of 0, where that is now."""
        ...


class TraderHoldings(Protocol):
    """The venue's word on what a trader holds. Raises `TransientError`, and `RejectedError` when it will not say."""

    async def holding_micro(self, wallet: str, condition_id: str, token_id: str) -> int:
        """Returns micro-shares of a token; 0 when he holds none."""
        ...

    async def portfolio_usd(self, wallet: str) -> Decimal:
        """Returns the value of his open positions."""
        ...


@attrs.frozen(kw_only=True)
class Payouts:
    """What a resolved market pays, by token (D64): USD a share."""

    condition_id: str
    by_token: Mapping[str, Decimal]
    source: str
    """`database`, `gamma` or `data`."""
    resolved_ms: int | None = None


@attrs.frozen(kw_only=True)
class SettledOrder:
    """An open order that its market's resolution closed."""

    order_id: str
    wallet_id: str
    payout: Decimal
    """USD for all its open shares."""
    cost_released: Decimal
    outcome: str
    """WON, LOST or VOID."""
    pnl: Decimal
    """Of the whole order, with what was sold before."""


@attrs.frozen(kw_only=True)
class OpenMarket:
    """A market with open paper orders."""

    condition_id: str
    token_ids: frozenset[str]
    """Of open orders."""
    market: MarketInput | None
    """None when there is no row of it."""


class SettlementStore(Protocol):
    """Where orders are settled. All methods raise `TransientError`; those that write also `FencedError`."""

    async def open_markets(self, after: str, markets_max: int) -> list[OpenMarket]:
        """Returns markets with open orders in the order of their ids, each once however many orders it has."""
        ...

    async def settle(self, payouts: Sequence[Payouts]) -> list[SettledOrder]:
        """Settles every open order of these markets whose token is named, in one transaction, and updates balances.

        An order leaves OPEN once, whoever settles how often: the second one finds nothing.
        """
        ...


class Resolutions(Protocol):
    """What the venue settled markets at."""

    async def payouts(self, condition_ids: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
        """Returns micro-USD a share by outcome index; markets that are not resolved are left out.

        Raises `TransientError`, and `RejectedError` when the venue has no such endpoint.
        """
        ...


class BookDepths(Protocol):
    """Whole order books."""

    async def depth(self, token_id: str) -> Book | None:
        """Returns a token's book, or None when the venue has none for it. Raises `TransientError`."""
        ...


class Scorer(Protocol):
    """A model's probability that what was bought wins."""

    def at_hand(self, inputs: Inputs) -> Score | None:
        """Returns a score that is known without waiting, also that there is none; None when it has to be asked for."""
        ...

    async def score(self, inputs: Inputs) -> Score:
        """Returns a probability, or why there is none. Raises `TransientError`; any other error is a bug of the model."""
        ...
