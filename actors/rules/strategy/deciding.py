"""All strategies of one part decide about one trade: inputs and bankrolls in, a decision out."""

from collections.abc import Callable, Sequence
from decimal import Decimal

import attrs
import msgspec

from actors.rules.paper.closing import close_of, share_sold
from actors.rules.paper.fill import exit_price
from actors.rules.paper.orders import paper_order
from actors.rules.strategy.stands import fill_in_room
from actors.rules.strategy.traits import TradeTraits, traits_of
from actors.rules.strategy.verdict import judge, staked
from actors.rules.strategy_index import Runner
from protocols.conflicts import Stand
from protocols.decisions import Decision, Inputs, PaperClose, PaperOrder, Reason
from protocols.paper import OpenOrder

Bankroll = Callable[[str], Decimal | None]
"""A strategy's wallet_id to its bankroll in USD; None when its account is not known."""
StandOf = Callable[[Runner], Stand]
"""What a strategy has in the market, and how its targets stand: asked only for those that have a policy for conflicts."""
OnError = Callable[[Runner, Exception], None]
_encode = msgspec.json.Encoder().encode


def nothing_known(_: Runner) -> Stand:
    """Returns what a strategy has that holds nothing and does not know how its targets stand."""
    return Stand()


@attrs.define(eq=False)
class _Draft:
    reasons: list[str] = attrs.field(factory=list)
    bankrolls: list[Decimal | None] = attrs.field(factory=list)
    orders: list[PaperOrder] = attrs.field(factory=list)
    closes: list[PaperClose] = attrs.field(factory=list)
    stands: dict[int, Stand] = attrs.field(factory=dict)
    """By place; most strategies have none."""

    def add(self, reason: Reason, bankroll: Decimal | None = None) -> None:
        self.reasons.append(reason.value)
        self.bankrolls.append(bankroll)


def decide(
    runners: Sequence[Runner],
    inputs: Inputs,
    part: str,
    bankroll_of: Bankroll,
    copied: Callable[[Runner], bool],
    on_error: OnError,
    stand_of: StandOf = nothing_known,
) -> Decision:
    """Returns what strategies do with a BUY. A rule that raises costs only its own strategy (D72); `on_error` is told."""
    traits = traits_of(inputs)
    draft = _Draft()
    for runner in runners:
        try:
            _buy(runner, inputs, traits, bankroll_of, copied, stand_of, draft)
        except Exception as error:
            del draft.reasons[len(draft.bankrolls) :]
            draft.add(Reason.RULE_ERROR)
            on_error(runner, error)
    return _decision(runners, inputs, part, draft)


def wants_fill(
    runners: Sequence[Runner], inputs: Inputs, bankroll_of: Bankroll, stand_of: StandOf = nothing_known
) -> bool:
    """Returns whether some strategy would buy, so that it is worth asking for a book."""
    traits = traits_of(inputs)
    for runner in runners:
        try:
            bankroll = bankroll_of(runner.strategy.wallet_id)
            if bankroll is None:
                continue
            stand = stand_of(runner) if runner.chain.conflicts else None
            if judge(runner.chain, traits, bankroll, stand).reason is Reason.TAKEN:
                return True
        except Exception:  # noqa: S112 - it is told when it decides
            continue
    return False


def _buy(
    runner: Runner,
    inputs: Inputs,
    traits: TradeTraits,
    bankroll_of: Bankroll,
    copied: Callable[[Runner], bool],
    stand_of: StandOf,
    draft: _Draft,
) -> None:
    failed, stand = runner.chain.first_failure(traits), None
    if failed is None and runner.chain.conflicts:
        stand = draft.stands[len(draft.reasons)] = stand_of(runner)
        failed = runner.chain.first_conflict(traits, stand)
    if failed is not None:
        draft.add(failed)
        return
    bankroll = bankroll_of(runner.strategy.wallet_id)
    if bankroll is None:
        raise LookupError(f"the account of {runner.strategy.wallet_id} is not known")
    verdict = staked(runner.settings, traits, bankroll, stand)
    if verdict.reason is not Reason.TAKEN:
        draft.add(verdict.reason, bankroll)
        return
    if copied(runner):
        draft.add(Reason.DUPLICATE, bankroll)
        return
    fill = fill_in_room(runner.settings, inputs, verdict.stake, stand)
    if isinstance(fill, Reason):
        draft.add(fill, bankroll)
        return
    order = paper_order(runner.strategy, inputs, traits, fill)
    if order.cost > bankroll:
        draft.add(Reason.INSUFFICIENT_CASH, bankroll)
        return
    draft.orders.append(order)
    draft.add(Reason.TAKEN, bankroll)


def decide_sale(
    runners: Sequence[Runner],
    inputs: Inputs,
    part: str,
    open_orders: Callable[[Runner], Sequence[OpenOrder]],
    on_error: OnError,
) -> Decision:
    """Returns what strategies do with a SELL of a trader: they close in proportion what they bought from him before."""
    draft = _Draft()
    share = share_sold(inputs.size_micro, inputs.holding_micro)
    for runner in runners:
        closes_before = len(draft.closes)
        try:
            draft.add(_sell(runner, inputs, share, open_orders(runner), draft))
        except Exception as error:
            del draft.closes[closes_before:]
            draft.add(Reason.RULE_ERROR)
            on_error(runner, error)
    return _decision(runners, inputs, part, draft)


def _sell(runner: Runner, inputs: Inputs, share: Decimal, orders: Sequence[OpenOrder], draft: _Draft) -> Reason:
    if not runner.settings.copy_sells:
        return Reason.NOT_BUY
    reason = Reason.NOT_BUY
    for order in orders:
        close = close_of(order, share, inputs, price=Decimal(0))
        if close is None:
            continue
        price = exit_price(runner.settings, inputs, close.shares)
        if isinstance(price, Reason):
            # What cannot be sold stays open, to be sold or settled later.
            reason = price if reason is Reason.NOT_BUY else reason
            continue
        draft.closes.append(msgspec.structs.replace(close, price=price))
        reason = Reason.TRADER_SELL
    return reason


def aggregated(runners: Sequence[Runner], inputs: Inputs, part: str) -> Decision:
    """Returns the decision on a fill that came after its aggregate was decided."""
    draft = _Draft()
    for _ in runners:
        draft.add(Reason.AGGREGATED)
    return _decision(runners, inputs, part, draft)


def _decision(runners: Sequence[Runner], inputs: Inputs, part: str, draft: _Draft) -> Decision:
    return Decision(
        part=part,
        trade_id=inputs.trade_id,
        trade_ms=inputs.trade_ms,
        decided_ms=inputs.now_ms,
        members=inputs.members,
        snapshot=_encode(inputs).decode(),
        strategies=tuple([runner.strategy.number for runner in runners]),
        versions=tuple([runner.strategy.version for runner in runners]),
        reasons=tuple(draft.reasons),
        bankrolls=tuple(draft.bankrolls),
        orders=tuple(draft.orders),
        closes=tuple(draft.closes),
        stands=tuple([draft.stands.get(place) for place in range(len(runners))]) if draft.stands else (),
    )
