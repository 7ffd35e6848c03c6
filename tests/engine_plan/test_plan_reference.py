"""A plan against two replays of their own, compared by hand."""

from decimal import Decimal

import attrs
from engine_plan.plan_tapes import resolved, rows_of, settings, trades
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from config.loader import load_config
from engine.plan.make import PlanOrder, make_plan
from engine.plan.sides import Audience, BotPlan, played_sides
from engine.replay.host import ReplayOrder, replay
from engine.replay.result import document

CONFIG = load_config(environ={})


def alone(rows, results, name, played):
    """What one side does when nobody else is played, and why it did not buy."""
    refusals = {}

    def watch(decision):
        for reason in decision.reasons:
            if reason != "taken":
                refusals[decision.trade_id] = reason

    order = ReplayOrder(rows=rows, bots=[(name, played)], resolutions=results, watch=watch)
    return document(order, replay(CONFIG, order), skipped_lines=0)["bots"][name], refusals


def copies_of(side):
    marked = {one["order_id"]: Decimal(one["value"]) - Decimal(one["cost"]) for one in side["unsettled"]}
    return {
        one["trade_id"]: (
            Decimal(one["stake"]),
            Decimal(one["entry_price"]),
            one["result"].replace("unsettled", "OPEN"),
            Decimal(one["realized"]) + marked.get(one["order_id"], 0),
        )
        for one in side["orders"]
    }


def told(copy):
    return None if copy is None else (copy.stake, copy.price, copy.result, copy.pnl)


@limits(max_examples=60, deadline=None)
@given(
    made=st.lists(trades, min_size=1, max_size=25),
    ends=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 1), st.none() | st.integers(0, 600)),
        max_size=3,
        unique_by=lambda one: one[0],
    ),
    pairs=st.lists(st.tuples(settings, settings), min_size=1, max_size=3),
)
def test_a_plan_is_two_replays_beside_each_other(made, ends, pairs):
    rows, results = rows_of(made), [resolved(*end) for end in ends]
    bots = [BotPlan(name=f"B{n}", before=old, after=new, version=n) for n, (old, new) in enumerate(pairs)]
    audience = Audience(everyone_else=True)
    plan = make_plan(
        CONFIG,
        PlanOrder(
            bots=bots, audience=audience, played=ReplayOrder(rows=rows, bots=(), resolutions=results), asked_ms=0
        ),
    )
    played = dict(played_sides(bots, audience))
    for bot, shown in zip(bots, plan.bots, strict=True):
        (old, _), (new, refused_new) = (alone(rows, results, name, played[name]) for name, _ in bot.sides)
        _, refused_old = alone(rows, results, bot.sides[0][0], played[bot.sides[0][0]])
        before, after = copies_of(old), copies_of(new)
        differing = {id_ for id_ in before.keys() | after.keys() if before.get(id_) != after.get(id_)}
        assert {one.trade_id for one in shown.trades} == differing
        assert shown.same == len(before.keys() & after.keys() - differing)
        for one in shown.trades:
            assert told(one.before) == before.get(one.trade_id)
            assert told(one.after) == after.get(one.trade_id)
            assert one.kind == (
                "changed" if None not in (one.before, one.after) else "dropped" if one.after is None else "added"
            )
            if one.kind == "changed":
                assert one.refusal is None
                assert one.differs
                continue
            refused = refused_old if one.kind == "added" else refused_new
            assert one.refusal.reason in (
                {refused[one.trade_id]} if one.trade_id in refused else {"paused", "not_target_trader", "aggregated"}
            )
        for figures, side in ((shown.before, old), (shown.after, new)):
            expected = side["figures"]
            assert figures.total_pnl == Decimal(expected["total_pnl"])
            assert figures.return_pct == Decimal(expected["return_pct"])
            assert figures.orders == expected["orders"]
            assert figures.max_drawdown == Decimal(expected["max_drawdown"])
            assert figures.stakes == sum((Decimal(order["stake"]) for order in side["orders"]), Decimal(0))
            assert figures.judged == sum(side["reasons"].values())
        effects = [shown.added.effect, shown.dropped.effect, shown.changed.effect]
        assert sum(effects) == shown.after.total_pnl - shown.before.total_pnl
        assert {one.reason: (one.before, one.after) for one in shown.reasons} == {
            reason: (old["reasons"].get(reason, 0), new["reasons"].get(reason, 0))
            for reason in old["reasons"].keys() | new["reasons"].keys()
        }


@limits(max_examples=25, deadline=None)
@given(made=st.lists(trades, min_size=1, max_size=25), same=settings)
def test_a_strategy_that_does_not_change_differs_in_nothing(made, same):
    bot = BotPlan(name="B", before=same, after=attrs.evolve(same, description="other words"), version=1)
    played = ReplayOrder(rows=rows_of(made), bots=())
    order = PlanOrder(bots=[bot], audience=Audience(everyone_else=True), played=played, asked_ms=0)
    [shown] = make_plan(CONFIG, order).bots
    assert not shown.trades
    assert shown.before == shown.after
    assert [one.name for one in shown.changes] == ["description"]
