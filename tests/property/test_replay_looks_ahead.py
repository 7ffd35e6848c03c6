"""Nothing that a replay decides about stored trades changes when later trades, resolutions and days are stored."""

from decimal import Decimal

import attrs
import msgspec
import trio
from engine_plan.plan_tapes import BEGAN_S, WALLETS, resolved, rows_of, settings, trades
from engine_plan.stored_trades import CLEAR, add_day, resolve, store_trades
from hypothesis import HealthCheck, event, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from config.loader import load_config
from engine.adapters.postgres.backtest_store import PostgresBacktestStore
from engine.adapters.postgres.database import Connection, database_loop
from engine.plan.sides import Audience, BotPlan, played_sides
from engine.replay.host import replay
from engine.replay.stored import stored_tape
from protocols.backtest import BacktestQuery
from protocols.strategies import WinRateSource

CONFIG = load_config(environ={})
DAY_S = 86_400
SPAN_S = 40 * 30
"""Longest that a made tape lasts."""
ends = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(-SPAN_S, SPAN_S)),
    max_size=3,
    unique_by=lambda one: one[0],
)
days = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-40, 3), st.integers(0, 60), st.integers(0, 60)),
    max_size=8,
    unique_by=lambda one: one[:2],
)
bots = st.builds(
    lambda base, **gates: attrs.evolve(base, **gates),
    settings,
    is_active=st.just(True),
    min_trader_win_rate=st.sampled_from([None, Decimal("0.5")]),
    max_trader_win_rate=st.sampled_from([None, Decimal("0.7")]),
    min_trader_resolved_count=st.sampled_from([0, 0, 30]),
    min_conviction=st.sampled_from([None, Decimal(2)]),
    wr_source=st.sampled_from(list(WinRateSource)),
    bet_structures=st.sampled_from([(), (), ("YES_NO",), ("STANDARD", "HEAD_TO_HEAD")]),
    market_categories=st.sampled_from([(), (), ("NBA",)]),
)


def decided(tape, strategies, before_ms):
    """Every decision until then, with all that it was made of."""
    found = []

    def watch(decision):
        if decision.decided_ms < before_ms:
            found.append(msgspec.to_builtins(decision))

    replay(CONFIG, tape.order(strategies, watch=watch))
    return sorted(found, key=lambda one: (one["decided_ms"], one["trade_id"], one["part"]))


def _said(decision):
    """A decision in short, for people who look for why two are not equal."""
    return [decision[name] for name in ("decided_ms", "trade_id", "part", "strategies", "reasons", "bankrolls")]


async def happened(connection, until_s, *, earlier, later, ends, days, with_markets, cut_s):
    """Stores what had happened by a time, and reads it as a replay does then."""
    await connection.run(lambda raw: raw.execute(CLEAR))
    stored = [*earlier, *(row for row in later if row.timestamp_s < until_s)]
    await store_trades(connection, stored, with_markets=with_markets)
    ended = [
        one for end in ends if (one := resolved(end[0], end[1], cut_s - BEGAN_S + end[2])).closed_ms < until_s * 1000
    ]
    await resolve(connection, ended)
    for wallet, day, count, wins in days:
        if cut_s + day * DAY_S < until_s:
            await add_day(connection, WALLETS[wallet], cut_s + day * DAY_S, count, count, min(wins, count))
    query = BacktestQuery(since_ms=BEGAN_S * 1000, until_ms=until_s * 1000)
    return await stored_tape(PostgresBacktestStore(connection, page_rows=7), query)


@limits(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    early=st.lists(trades, min_size=1, max_size=20),
    late=st.lists(trades, min_size=1, max_size=12),
    ends=ends,
    days=days,
    strategies=st.lists(bots, min_size=1, max_size=4),
    with_markets=st.booleans(),
)
def test_what_comes_later_changes_no_decision(early, late, ends, days, strategies, with_markets, database):
    earlier = rows_of(early)
    cut_s = earlier[-1].timestamp_s + 1
    later = rows_of(late, first=1_000, at_s=cut_s - BEGAN_S)
    plans = [BotPlan(name=f"B{n}", after=one) for n, one in enumerate(strategies)]
    sides = played_sides(plans, Audience(everyone_else=True))
    found = []

    async def main():
        async with database_loop():
            connection = Connection(database, "test")
            try:
                for until_s in (cut_s, cut_s + 4 * DAY_S):
                    tape = await happened(
                        connection, until_s, earlier=earlier, later=later, ends=ends, days=days,
                        with_markets=with_markets, cut_s=cut_s,
                    )  # fmt: skip
                    found.append(tape)
            finally:
                await connection.aclose()

    trio.run(main)
    then, now = found
    assert len(now.rows) == len(earlier) + len(later)
    before = decided(then, sides, cut_s * 1000)
    again = decided(now, sides, cut_s * 1000)
    assert [_said(one) for one in again] == [_said(one) for one in before]
    assert again == before
    for one in before:
        for reason in one["reasons"]:
            event(reason)
