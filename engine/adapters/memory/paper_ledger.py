"""Trades, decisions and virtual money in memory, with the rules of the database: for replay, simulation and tests."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import attrs
import msgspec

from actors.rules.paper import ledger
from actors.rules.paper.settlement import settle
from engine.adapters.memory.live_ledger import MemoryLiveLedger
from engine.adapters.memory.paper_stage import PaperStage, Position, Sale
from protocols.clock import WallClock
from protocols.decisions import Decision, MarketInput
from protocols.ingest import WriteResult
from protocols.paper import Account, Balance, Holding, OpenMarket, Payouts, SeenFill, SettledOrder, UndecidedTrade
from protocols.receipts import Receipt, decisions_of
from protocols.trades import Lane, LanedTrade, Trade

_DESCRIPTION = (
    "outcome", "outcome_index", "market_slug", "event_slug", "market_title", "trader_name", "trader_image", "market_image",
)  # fmt: skip


@attrs.define
class Day:
    """What orders came to on one UTC day of sale or settlement."""

    won: int = 0
    lost: int = 0
    sold: int = 0
    void: int = 0
    pnl: Decimal = Decimal(0)

    def add(self, outcome: str, pnl: Decimal) -> None:
        """Counts an outcome; OPEN, of a partial sale, counts for its money only."""
        self.pnl += pnl
        name = outcome.lower()
        if name != "open":
            setattr(self, name, getattr(self, name) + 1)


@attrs.define(eq=False, kw_only=True)
class MemoryPaperLedger:
    """`TradeStore`, `PaperStore` and `SettlementStore` over dicts. Nothing waits, so every call is a transaction.

    Without `keep_trades` it remembers ids of trades and keys of decisions only, so that a long replay fits in memory; then
    there is nothing to recover from it and no stored fills.
    """

    clock: WallClock
    keep_trades: bool = True
    markets: Mapping[str, MarketInput] = attrs.field(factory=dict)
    """What `open_markets` says of them."""
    live: MemoryLiveLedger | None = None
    """Where live strategies claim with the decision."""
    balances: dict[str, Balance] = attrs.field(init=False, factory=dict)
    positions: dict[str, Position] = attrs.field(init=False, factory=dict)
    """Every paper order by id, in the order of commits."""
    sales: list[Sale] = attrs.field(init=False, factory=list)
    days: dict[tuple[str, date], Day] = attrs.field(init=False, factory=dict)
    payouts: dict[str, Decimal] = attrs.field(init=False, factory=dict)
    """By token."""
    decisions: dict[tuple[str, str], Decision | None] = attrs.field(init=False, factory=dict)
    """By trade and part; None in the place of one that is not kept."""
    trades: dict[str, LanedTrade | None] = attrs.field(init=False, factory=dict)
    _copied: set[tuple[str, str]] = attrs.field(init=False, factory=set)
    _closed: set[tuple[str, str]] = attrs.field(init=False, factory=set)
    _open: dict[str, dict[str, Position]] = attrs.field(init=False, factory=dict)
    """Positions with something open, by market and order."""
    _holdings: dict[tuple[str, str], Holding] = attrs.field(init=False, factory=dict)

    def add_account(self, wallet_id: str, starting: Decimal) -> None:
        """Opens the account of a strategy with its starting balance in USD."""
        self.balances[wallet_id] = Balance(starting=starting, cash=starting, peak_equity=starting)

    def remove_account(self, wallet_id: str) -> None:
        """Forgets a strategy and its orders, as deleting it does."""
        self.balances.pop(wallet_id, None)
        self._copied = {copy for copy in self._copied if copy[0] != wallet_id}
        for id_ in [id_ for id_, position in self.positions.items() if position.order.wallet_id == wallet_id]:
            self._drop_open(self.positions.pop(id_))

    async def write(self, trades: Sequence[LanedTrade]) -> WriteResult:
        """Takes trades and what was decided about them. Raises `RejectedError`, and nothing is changed, without cash."""
        decisions = [decision for laned in trades for decision in decisions_of(laned)]
        receipts: tuple[Receipt, ...] = ()
        if decisions:
            stage = PaperStage(self.balances, self.positions, self._copied, self.decisions.keys(), self._closed)
            found = [stage.open(decision) for decision in decisions]
            for number, decision in enumerate(decisions):
                if decision.closes and found[number].applied:
                    found[number] = attrs.evolve(found[number], closed=stage.close(decision))
            stage.check()
            self._take_over(stage)
            receipts = tuple(found if self.live is None else self._claimed(self.live, decisions, found))
        before = len(self.trades)
        for laned in trades:
            self._keep(laned)
        inserted = len(self.trades) - before
        return WriteResult(inserted=inserted, repeated=len(trades) - inserted, receipts=receipts)

    async def accounts(self, wallet_ids: Sequence[str]) -> list[Account]:
        """Returns balances and open orders in the order of time."""
        wanted = sorted({wallet_id for wallet_id in wallet_ids if wallet_id in self.balances})
        lists: dict[str, list[Position]] = {wallet_id: [] for wallet_id in wanted}
        for position in self._open_positions():
            if position.order.wallet_id in lists:
                lists[position.order.wallet_id].append(position)
        return [
            Account(
                wallet_id=wallet_id,
                balance=self.balances[wallet_id],
                open_orders=tuple(one.left for one in sorted(lists[wallet_id], key=_in_turn) if one.left is not None),
            )
            for wallet_id in wanted
        ]

    async def recent_decisions(self, since_ms: int) -> list[UndecidedTrade]:
        """Returns kept trades of lane 0 and the parts decided about each, in the order of commits."""
        parts: dict[str, set[str]] = {}
        for (trade_id, part), decision in self.decisions.items():
            for member in (trade_id, *(decision.members if decision is not None else ())):
                parts.setdefault(member, set()).add(part)
        return [
            UndecidedTrade(trade=laned.trade, parts=frozenset(parts.get(trade_id, ())))
            for trade_id, laned in self.trades.items()
            if laned is not None and laned.lane is Lane.TARGET and laned.trade.trade_ms >= since_ms
        ]

    async def holdings(self, pairs: Sequence[tuple[str, str]]) -> tuple[list[Holding], list[SeenFill]]:
        """Returns what the venue said of pairs of wallet and token, and every kept fill of them."""
        wanted = set(pairs)
        fills = [
            _fill(laned.trade)
            for laned in self.trades.values()
            if laned is not None and (laned.trade.wallet, laned.trade.token_id) in wanted
        ]
        return [self._holdings[pair] for pair in dict.fromkeys(pairs) if pair in self._holdings], fills

    async def keep_holding(self, holding: Holding) -> None:
        """Keeps what the venue said, unless a later word is there."""
        pair = (holding.wallet, holding.token_id)
        old = self._holdings.get(pair)
        if old is None or old.as_of_ms <= holding.as_of_ms:
            self._holdings[pair] = holding

    async def open_markets(self, after: str, markets_max: int) -> list[OpenMarket]:
        """Returns markets with open orders beginning after an id, in the order of ids."""
        return [
            OpenMarket(
                condition_id=condition_id,
                token_ids=frozenset(position.order.token_id for position in self._open[condition_id].values()),
                market=self.markets.get(condition_id),
            )
            for condition_id in sorted(id_ for id_ in self._open if id_ > after)[:markets_max]
        ]

    def is_open(self, condition_id: str) -> bool:
        """Returns whether something of a market is held."""
        return condition_id in self._open

    async def settle(self, payouts: Sequence[Payouts]) -> list[SettledOrder]:
        """Settles every open order of these markets whose token is named, by strategy and in the order of time."""
        paid = {(one.condition_id, token_id): one for one in payouts for token_id in one.by_token}
        found = [
            position
            for condition_id in {one.condition_id for one in payouts}
            for position in self._open.get(condition_id, {}).values()
            if (condition_id, position.order.token_id) in paid
        ]
        for one in payouts:
            self.payouts.update(one.by_token)
        return [
            self._settle(position, paid[position.order.condition_id, position.order.token_id])
            for position in sorted(found, key=_in_turn)
        ]

    def _settle(self, position: Position, payouts: Payouts) -> SettledOrder:
        assert position.left is not None
        payout = payouts.by_token[position.order.token_id]
        settled = settle(position.left, payout)
        self.balances[settled.wallet_id] = ledger.settled(self.balances[settled.wallet_id], settled)
        self._drop_open(position)
        position.left, position.outcome, position.pnl = None, settled.outcome, settled.pnl
        position.exit_price = payout
        position.resolved_ms = self.clock.now_ms() if payouts.resolved_ms is None else payouts.resolved_ms
        pnl = settled.payout - settled.cost_released
        self._day(settled.wallet_id, position.resolved_ms).add(settled.outcome, pnl)
        return settled

    def _claimed(
        self, live: MemoryLiveLedger, decisions: Sequence[Decision], receipts: Sequence[Receipt]
    ) -> list[Receipt]:
        applied = [one for one, receipt in zip(decisions, receipts, strict=True) if receipt.applied]
        claims, exits = live.claim_decided(applied)
        return [
            attrs.evolve(one, claims=tuple(claims.get(one.key, ())), exits=tuple(exits.get(one.key, ())))
            if one.applied
            else one
            for one in receipts
        ]

    def _take_over(self, stage: PaperStage) -> None:
        self.balances.update(stage.new_balances)
        self._copied |= stage.new_copied
        self._closed |= stage.new_closed
        for key, decision in stage.new_claimed.items():
            self.decisions[key] = decision if self.keep_trades else None
        for order_id, position in stage.new_positions.items():
            self.positions[order_id] = position
            self._open.setdefault(position.order.condition_id, {})[order_id] = position
        for sale in stage.sales:
            self._sold(sale, stage)
        self.sales += stage.sales

    def _sold(self, sale: Sale, stage: PaperStage) -> None:
        position = self.positions[sale.shares.order_id]
        position.left = stage.left[sale.shares.order_id]
        position.pnl += sale.pnl
        outcome = "OPEN"
        if sale.is_final:
            self._drop_open(position)
            outcome = position.outcome = "SOLD"
            position.exit_price, position.resolved_ms = sale.price, sale.trade_ms
        self._day(sale.shares.wallet_id, sale.trade_ms).add(outcome, sale.pnl)

    def _keep(self, laned: LanedTrade) -> None:
        trade_id = laned.trade.trade_id
        if not self.keep_trades:
            self.trades[trade_id] = None
            return
        old = self.trades.get(trade_id)
        self.trades[trade_id] = LanedTrade(laned.trade, laned.lane) if old is None else _merged(old, laned)

    def _drop_open(self, position: Position) -> None:
        in_market = self._open.get(position.order.condition_id, {})
        in_market.pop(position.order.order_id, None)
        if not in_market:
            self._open.pop(position.order.condition_id, None)

    def _open_positions(self) -> list[Position]:
        return [position for in_market in self._open.values() for position in in_market.values()]

    def _day(self, wallet_id: str, at_ms: int) -> Day:
        return self.days.setdefault((wallet_id, datetime.fromtimestamp(at_ms / 1000, tz=UTC).date()), Day())


def _in_turn(position: Position) -> tuple[str, int, str]:
    return (position.order.wallet_id, position.order.trade_ms, position.order.order_id)


def _merged(old: LanedTrade, new: LanedTrade) -> LanedTrade:
    """A repeat changes what describes a trade, and its lane where it matters more now."""
    told = {name: value for name in _DESCRIPTION if (value := getattr(new.trade, name)) is not None}
    return LanedTrade(msgspec.structs.replace(old.trade, **told, raw=new.trade.raw), min(old.lane, new.lane))


def _fill(trade: Trade) -> SeenFill:
    return SeenFill(
        trade_id=trade.trade_id,
        wallet=trade.wallet,
        token_id=trade.token_id,
        side=trade.side,
        size_micro=trade.size_micro,
        trade_ms=trade.trade_ms,
    )
