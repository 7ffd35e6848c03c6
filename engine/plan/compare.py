"""Puts two sides of a replay beside each other: figures, reasons, and every trade that they treat otherwise."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal

import attrs

from actors.rules.exact import MICRO_USD, half_up
from actors.rules.paper.figures import figures_of
from config.strategy_settings import warnings_of
from engine.adapters.memory.paper_stage import Position
from engine.plan.document import (
    DifferenceSum,
    PlanCopy,
    PlanFigures,
    PlannedBot,
    ReasonCount,
    Refusal,
    SettingChange,
    TradeDifference,
)
from engine.plan.refusals import RefusalWatch
from engine.plan.sides import BotPlan
from engine.replay.host import Replayed
from protocols.strategies import Strategy
from protocols.timestamps import utc_datetime

ZERO = Decimal(0)
Kind = Literal["added", "dropped", "changed"]


@attrs.frozen(kw_only=True)
class _Side:
    strategy: Strategy
    positions: Mapping[str, Position]
    """By source trade."""
    reasons: Mapping[str, int]
    figures: PlanFigures


def planned_bots(bots: Sequence[BotPlan], done: Replayed, watch: RefusalWatch, *, rows_max: int) -> list[PlannedBot]:
    """Returns each strategy before and after, with at most `rows_max` differing trades."""
    positions: dict[str, dict[str, Position]] = {}
    for position in done.ledger.positions.values():
        positions.setdefault(position.order.wallet_id, {})[position.order.source_trade_id] = position
    reasons: dict[int, dict[str, int]] = {}
    for (number, reason), count in done.ledger.reasons.items():
        reasons.setdefault(number, {})[reason] = count
    sides = {
        one.wallet_id: _side(one, done, positions.get(one.wallet_id, {}), reasons.get(one.number, {}))
        for one in done.strategies
    }
    return [_bot(bot, sides, done, watch, rows_max) for bot in bots]


def _side(strategy: Strategy, done: Replayed, positions: Mapping[str, Position], reasons: Mapping[str, int]) -> _Side:
    balance = done.ledger.balances[strategy.wallet_id]
    unrealized = sum((_marked(one, done.prices) for one in positions.values()), ZERO)
    found = figures_of(balance, unrealized)
    return _Side(
        strategy=strategy,
        positions=positions,
        reasons=reasons,
        figures=PlanFigures(
            starting_balance=balance.starting,
            judged=sum(reasons.values()),
            orders=found.orders,
            stakes=balance.stakes,
            fees=balance.fees,
            realized_pnl=found.realized_pnl,
            unrealized_pnl=unrealized,
            total_pnl=found.realized_pnl + unrealized,
            return_pct=found.return_pct or ZERO,
            max_drawdown=found.max_drawdown,
            max_drawdown_pct=found.max_drawdown_pct,
            won=found.won,
            lost=found.lost,
            sold=found.sold,
            void=found.void,
            open_orders=found.open_orders,
        ),
    )


def _bot(bot: BotPlan, sides: Mapping[str, _Side], done: Replayed, watch: RefusalWatch, rows_max: int) -> PlannedBot:
    after = sides[bot.sides[-1][0]]
    before = None if bot.before is None else sides[bot.sides[0][0]]
    rows = [] if before is None else _differences(before, after, done, watch)
    if before is None:
        rows = [_row("added", None, one, None, [], done) for one in after.positions.values()]
    sums = {kind: _sum(rows, kind) for kind in ("added", "dropped", "changed")}
    shown = sorted(rows, key=lambda one: (-abs(one.effect), one.at, one.trade_id))[:rows_max]
    return PlannedBot(
        wallet_id=bot.name,
        is_new=bot.before is None,
        version=bot.version,
        changes=[SettingChange(name=name, old=old, new=new) for name, old, new in bot.changes],
        warnings=warnings_of(bot.after),
        before=None if before is None else before.figures,
        after=after.figures,
        same=len(after.positions) - sums["added"].trades - sums["changed"].trades,
        added=sums["added"],
        dropped=sums["dropped"],
        changed=sums["changed"],
        trades=sorted(shown, key=lambda one: (one.at, one.trade_id)),
        cut=len(rows) > len(shown),
        reasons=_reasons({} if before is None else before.reasons, after.reasons),
    )


def _differences(before: _Side, after: _Side, done: Replayed, watch: RefusalWatch) -> list[TradeDifference]:
    rows = []
    for trade_id in before.positions.keys() | after.positions.keys():
        old, new = before.positions.get(trade_id), after.positions.get(trade_id)
        if old is not None and new is not None:
            if differs := _differing(old, new):
                rows.append(_row("changed", old, new, None, differs, done))
        elif new is not None:
            rows.append(_row("added", None, new, _refusal(watch, before, new), [], done))
        elif old is not None:
            rows.append(_row("dropped", old, None, _refusal(watch, after, old), [], done))
    return rows


def _refusal(watch: RefusalWatch, side: _Side, position: Position) -> Refusal:
    order, strategy = position.order, side.strategy
    return watch.refusal(strategy.number, order.source_trade_id, strategy.settings, order.trader)


def _differing(old: Position, new: Position) -> list[str]:
    one, two = old.order, new.order
    found = ["stake"] if one.stake != two.stake else []
    found += ["price"] if one.entry_price != two.entry_price else []
    if (old.outcome, old.exit_price) != (new.outcome, new.exit_price):
        return [*found, "result"]
    # What follows from another stake or price alone is no difference of its own.
    is_same = (_open_shares(old), old.pnl) == (_open_shares(new), new.pnl)
    return found if found or is_same else ["result"]


def _open_shares(position: Position) -> Decimal | None:
    return None if position.left is None else position.left.shares


def _row(
    kind: Kind,
    old: Position | None,
    new: Position | None,
    refusal: Refusal | None,
    differs: list[str],
    done: Replayed,
) -> TradeDifference:
    position = new or old
    assert position is not None
    order = position.order
    before, after = (None if one is None else _copy(one, done.prices) for one in (old, new))
    return TradeDifference(
        kind=kind,
        trade_id=order.source_trade_id,
        at=utc_datetime(order.trade_ms),
        trader=order.trader,
        market=order.market_title,
        slug=order.market_slug,
        outcome=order.outcome,
        token_id=order.token_id,
        trader_price=order.signal_price,
        before=before,
        after=after,
        differs=differs,
        refusal=refusal,
        effect=(after.pnl if after else ZERO) - (before.pnl if before else ZERO),
    )


def _copy(position: Position, prices: Mapping[str, Decimal]) -> PlanCopy:
    order = position.order
    return PlanCopy(
        stake=order.stake,
        price=order.entry_price,
        shares=order.shares,
        fee=order.fee,
        result=position.outcome,
        pnl=position.pnl + _marked(position, prices),
    )


def _marked(position: Position, prices: Mapping[str, Decimal]) -> Decimal:
    """Returns what the open part of a position has gained at the last price, USD."""
    left = position.left
    return ZERO if left is None else half_up(left.shares * prices[left.token_id], MICRO_USD) - left.cost


def _sum(rows: Sequence[TradeDifference], kind: str) -> DifferenceSum:
    found = [one.effect for one in rows if one.kind == kind]
    return DifferenceSum(trades=len(found), effect=sum(found, ZERO))


def _reasons(before: Mapping[str, int], after: Mapping[str, int]) -> list[ReasonCount]:
    names = sorted(before.keys() | after.keys(), key=lambda name: (-max(before.get(name, 0), after.get(name, 0)), name))
    return [ReasonCount(reason=name, before=before.get(name, 0), after=after.get(name, 0)) for name in names]
