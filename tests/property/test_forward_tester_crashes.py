"""Trades, sales and settlements in random order, while the forward tester crashes: money adds up, and nothing happens twice."""

from decimal import Decimal

import trio
from hypothesis import given
from hypothesis import strategies as st
from property.deciding_world import LEADER, DecidingWorld, trade
from property.examples import QUICK
from property.made_decisions import TOKEN, strategy
from property.made_trades import NOON_S, condition, transaction
from property.supervised import CrashPlan, crash_sets

from protocols.decisions import Reason
from protocols.paper import Payouts
from protocols.strategies import Aggregation, EntryModel, TargetMode

LISTED = {"target_mode": TargetMode.LIST, "target_traders": (LEADER,), "entry_model": EntryModel.OBSERVED}
BOTS = (
    strategy(1, **LISTED | {"starting_balance": Decimal(45)}),
    strategy(2, **LISTED | {"aggregate": Aggregation.TRANSACTION, "starting_balance": Decimal(100)}),
    strategy(3, **LISTED | {"aggregate": Aggregation.WINDOW, "aggregate_window_s": 3}),
    strategy(4, **LISTED | {"use_model": True, "model_threshold": Decimal("0.5")}),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "buy", "buy", "same tx", "sell", "again", "settle"]),
        st.integers(0, 20),
        st.sampled_from([0.0, 0.0, 0.1, 1.0, 4.0]),
    ),
    max_size=25,
)


async def play(made, steps):
    sent = []
    for number, (what, chosen, pause_s) in enumerate(steps):
        second = NOON_S + int(trio.current_time())
        if what == "settle":
            won = Decimal(chosen % 2)
            payouts = Payouts(condition_id=condition(7), by_token={TOKEN: won, "987": 1 - won}, source="gamma")
            made.forward.tester.settled(await made.ledger.settle([payouts]))
        elif what == "again":
            if sent:
                await made.send(sent[chosen % len(sent)])
        else:
            tx = transaction(1) if what == "same tx" else transaction(1_000 + number)
            side = "SELL" if what == "sell" else "BUY"
            one = trade(
                number, side=side, transaction_hash=tx, trade_ms=second * 1000, size_micro=(chosen + 1) * 1_000_000
            )
            sent.append(one)
            await made.send(one)
        await trio.sleep(pause_s)


def check(made, steps):
    ledger = made.ledger
    tester = made.forward.tester
    for bot in BOTS:
        balance = ledger.balances[bot.wallet_id]
        orders = [one for one in ledger.positions.values() if one.order.wallet_id == bot.wallet_id]
        copied = [id_ for one in orders for id_ in one.order.members or (one.order.source_trade_id,)]
        assert len(copied) == len(set(copied))
        assert balance.cash >= 0
        assert balance.cash + balance.open_cost == balance.starting + balance.realized_pnl
        assert balance.open_cost == sum((one.left.cost for one in orders if one.left is not None), Decimal(0))
        assert balance.realized_pnl == sum((one.pnl for one in orders), Decimal(0))
        assert tester.maker.book.available(bot.wallet_id) == balance.cash
    assert not tester.maker.book.in_flight
    assert len(tester.room) == 0
    if tester.room.dead or made.copy_trades.dead_letters:
        # Three crashes met one decision or one trade: it was given up, and holds nothing.
        assert len(made.plan.crash_at) >= 3
        return
    bought = [n for n, (what, _, _) in enumerate(steps) if what in ("buy", "same tx")]
    for number in bought:
        reasons = made.reasons(f"trade-{number}")
        assert reasons["now"][1] in (Reason.TAKEN, Reason.INSUFFICIENT_CASH)
        assert reasons["model"] == {4: Reason.ML_UNAVAILABLE}
    grouped = {id_ for one in made.decisions() for id_ in one.members if one.part == "tx"}
    late = {one.trade_id for one in made.decisions() if one.part == "tx" and not one.members}
    assert grouped | late >= {f"trade-{n}" for n in bought}


@QUICK
@given(steps=STEPS, crash_at=crash_sets(30, apart=4), partly=st.integers(0, 2))
def test_money_adds_up_and_nothing_is_copied_twice_over_crashes(steps, crash_at, partly):
    made = DecidingWorld(BOTS, plan=CrashPlan(crash_at), partly=partly)
    made.run(lambda one: play(one, steps))
    check(made, steps)


def test_a_decision_that_is_given_up_holds_no_money():
    made = DecidingWorld(BOTS, plan=CrashPlan(frozenset({2, 6, 11})), partly=0)
    made.run(lambda one: play(one, [("buy", 0, pause_s) for pause_s in (0.0, 0.1, 0.0, 0.0)]))
    tester = made.forward.tester
    assert tester.room.dead == 1
    assert not tester.maker.book.in_flight
    for bot in BOTS:
        assert tester.maker.book.available(bot.wallet_id) == made.ledger.balances[bot.wallet_id].cash


@QUICK
@given(steps=STEPS, more=STEPS, calm_s=st.sampled_from([0.0, 0.2, 30.0]))
def test_a_start_goes_on_where_the_run_before_was_cut_off(steps, more, calm_s):
    first = DecidingWorld(BOTS)
    first.run(lambda one: play(one, steps), calm_s=calm_s)
    second = DecidingWorld(BOTS, ledger=first.ledger)
    second.run(lambda one: play(one, []))
    stored = [n for n, (what, _, _) in enumerate(steps) if f"trade-{n}" in first.ledger.trades]
    check(second, [step if n in stored else ("settle", 0, 0.0) for n, step in enumerate(steps)])
