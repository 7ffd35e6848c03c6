"""One strategy walked through trades by the program's own rules."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from actors.rules.paper.closing import apply_close
from actors.rules.paper.ledger import closed, opened, settled
from actors.rules.paper.orders import as_open
from actors.rules.paper.settlement import settle
from actors.rules.strategy.crowds import crowd_of, market_fill
from actors.rules.strategy.deciding import decide, decide_sale
from actors.rules.strategy.eligibility import Chain
from actors.rules.strategy.stands import stand_of
from actors.rules.strategy_index import Runner, needs_of
from protocols.conflicts import Circle, MarketFill
from protocols.decisions import Decision, Inputs
from protocols.paper import Balance, OpenOrder
from protocols.strategies import Strategy, StrategySettings


class ProgramWalk:
    """A balance and open orders, changed by the rules that the engine and the replay call."""

    def __init__(self, settings: StrategySettings) -> None:
        strategy = Strategy(wallet_id="BOT", number=1, owner_id="", version=1, settings=settings)
        self.runner = Runner(strategy=strategy, chain=Chain.of(settings, None), part="now", needs=needs_of(settings))
        starting = settings.starting_balance
        self.balance = Balance(starting=starting, cash=starting, peak_equity=starting)
        self.open: dict[str, OpenOrder] = {}
        self.fills: dict[str, list[MarketFill]] = {}
        self.answers: list[tuple[str, Decimal | None]] = []

    def walk(self, inputs: Sequence[Inputs], payouts_before: Mapping[int, Mapping[str, Decimal]]) -> None:
        for number, one in enumerate(inputs):
            self._settle(payouts_before.get(number, {}))
            self.fills.setdefault(one.condition_id, []).append(_fill(one))
            decision = self._buy(one) if one.side == "BUY" else self._sell(one)
            self.answers.append((decision.reasons[0], decision.orders[0].stake if decision.orders else None))
            assert self.balance.cash + self.balance.open_cost == self.balance.starting + self.balance.realized_pnl
        self._settle(payouts_before.get(len(inputs), {}))

    def _buy(self, one: Inputs) -> Decision:
        crowd = None
        if self.runner.needs.sides:
            circle = Circle(None, frozenset(self.runner.settings.excluded_traders))
            fills = self.fills[one.condition_id]
            one = msgspec.structs.replace(
                one, crowds=(crowd_of(fills, circle, wallet=one.wallet, trade_ms=one.trade_ms),)
            )
            crowd = 0
        stand = stand_of(self.open.values(), one, crowd)
        decision = decide(
            [self.runner], one, "now", lambda _: self.balance.cash, lambda _: False, _raise, lambda _: stand
        )
        self.balance = opened(self.balance, decision.orders)
        for order in decision.orders:
            self.open[order.order_id] = as_open(order)
        return decision

    def _sell(self, one: Inputs) -> Decision:
        decision = decide_sale([self.runner], one, "now", lambda _: list(self.open.values()), _raise)
        for close in decision.closes:
            before = self.open.pop(close.order_id)
            sale = apply_close(before, close)
            self.balance = closed(self.balance, sale, realized_before=before.realized)
            if sale.order is not None:
                self.open[close.order_id] = sale.order
        return decision

    def _settle(self, payouts: Mapping[str, Decimal]) -> None:
        for order in [order for order in self.open.values() if order.token_id in payouts]:
            self.balance = settled(self.balance, settle(order, payouts[order.token_id]))
            del self.open[order.order_id]


def _fill(one: Inputs) -> MarketFill:
    return market_fill(
        trade_id=one.trade_id, wallet=one.wallet, condition_id=one.condition_id, token_id=one.token_id, side=one.side,
        size_micro=one.size_micro, price=one.price, trade_ms=one.trade_ms,
    )  # fmt: skip


def _raise(_: Runner, error: Exception) -> None:
    raise error
