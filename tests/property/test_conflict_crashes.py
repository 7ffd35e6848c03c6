"""Targets that disagree, sell and settle in random order while the forward tester crashes: no limit is ever passed."""

from collections import defaultdict
from decimal import Decimal

import attrs
import msgspec
import trio
from hypothesis import given
from hypothesis import strategies as st
from property.deciding_world import DecidingWorld, VirtualWall, market, trade
from property.examples import QUICK
from property.made_decisions import TOKEN, strategy
from property.made_trades import NOON_S, condition, wallet
from property.supervised import CrashPlan, crash_sets
from reference.reference_conflicts import outcomes_of

from engine.adapters.memory.paper_ledger import MemoryPaperLedger
from protocols.decisions import Inputs, Reason
from protocols.paper import Payouts
from protocols.strategies import Aggregation, ConflictPolicy, EntryModel, TargetMode

TARGETS = tuple(wallet(number) for number in (1, 2, 3))
LISTED = {"target_mode": TargetMode.LIST, "target_traders": TARGETS, "entry_model": EntryModel.OBSERVED}
PLACES = ((7, TOKEN), (7, "987"), (8, "81"), (8, "82"))
"""Markets and outcomes; both markets belong to one event."""
EVENT_USD, SIDE = Decimal(25), 2
BOTS = (
    strategy(1, **LISTED, conflict_policy=ConflictPolicy.FIRST),
    strategy(2, **LISTED, conflict_policy=ConflictPolicy.FIRST, aggregate=Aggregation.WINDOW, aggregate_window_s=2),
    strategy(3, **LISTED, max_targets_per_side=SIDE, max_event_exposure_usd=EVENT_USD, min_bet=Decimal(1)),
    strategy(4, **LISTED, conflict_policy=ConflictPolicy.MAJORITY, max_event_exposure_usd=EVENT_USD),
    strategy(5, **LISTED, conflict_policy=ConflictPolicy.NET),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "buy", "buy", "sell", "again", "settle"]),
        st.integers(0, 2),
        st.sampled_from([0, 1, 0, 1, 2, 3]),
        st.integers(1, 20),
        st.sampled_from([0.0, 0.0, 0.1, 1.0, 3.0]),
    ),
    max_size=25,
)


@attrs.define(eq=False, kw_only=True)
class WatchedLedger(MemoryPaperLedger):
    """Looks after each commit at what every strategy holds."""

    async def write(self, trades):
        result = await super().write(trades)
        held = defaultdict(list)
        for position in self.positions.values():
            if position.left is not None:
                held[position.left.wallet_id].append(position.left)
        for bot in ("BOT_1", "BOT_2"):
            for one in held[bot]:
                for other in held[bot]:
                    opposite = one.condition_id == other.condition_id and one.token_id != other.token_id
                    assert not opposite or one.trader == other.trader, (bot, one, other)
        sides = defaultdict(set)
        for one in held["BOT_3"]:
            sides[one.token_id].add(one.trader)
        assert all(len(traders) <= SIDE for traders in sides.values())
        for bot in ("BOT_3", "BOT_4"):
            assert sum((one.cost for one in held[bot]), Decimal(0)) <= EVENT_USD
        return result


def world(ledger=None, **options):
    made = DecidingWorld(BOTS, ledger=ledger or WatchedLedger(clock=VirtualWall()), **options)
    made.markets.stored[condition(7)] = market(event_slug="cup")
    made.markets.stored[condition(8)] = market(8, event_slug="cup", token_ids=("81", "82"))
    return made


async def play(made, steps, first=0):
    sent = []
    for number, (what, who, place, size, pause_s) in enumerate(steps, first):
        market_number, token_id = PLACES[place]
        if what == "settle":
            by_token = {token: Decimal(token == token_id) for at, token in PLACES if at == market_number}
            payouts = Payouts(condition_id=condition(market_number), by_token=by_token, source="gamma")
            made.forward.tester.settled(await made.ledger.settle([payouts]))
        elif what == "again":
            if sent:
                await made.send(sent[size % len(sent)])
        else:
            one = trade(
                number, wallet=TARGETS[who], token_id=token_id, condition_id=condition(market_number), side=what.upper(),
                trade_ms=(NOON_S + int(trio.current_time())) * 1000, size_micro=size * 1_000_000, event_slug="cup",
            )  # fmt: skip
            sent.append(one)
            await made.send(one)
        await trio.sleep(pause_s)


def as_inputs(one):
    return Inputs(
        trade_id=one.trade_id, wallet=one.wallet, token_id=one.token_id, condition_id=one.condition_id, side=one.side,
        price=one.price, size_micro=one.size_micro, trade_ms=one.trade_ms, now_ms=one.trade_ms,
    )  # fmt: skip


def check(made):
    """How targets stood is what the slow reference finds in all trades up to the one decided, in the order of commits."""
    tester = made.forward.tester
    if tester.room.dead or made.copy_trades.dead_letters:
        # Three crashes met one decision or trade: it was given up. Until then no limit was passed.
        return
    for bot in BOTS:
        balance = made.ledger.balances[bot.wallet_id]
        assert balance.cash + balance.open_cost == balance.starting + balance.realized_pnl
        assert tester.maker.book.available(bot.wallet_id) == balance.cash
    assert not tester.maker.book.in_flight
    stored = [as_inputs(laned.trade) for laned in made.ledger.trades.values()]
    for decision in made.decisions():
        if "sides" not in decision.part:
            continue
        inputs = msgspec.json.decode(decision.snapshot, type=Inputs)
        if inputs.side == "SELL":
            continue
        at = next(number for number, one in enumerate(stored) if one.trade_id == decision.trade_id)
        expected = outcomes_of(stored[: at + 1], inputs, TARGETS)
        [crowd] = inputs.crowds
        assert {side.token_id: (side.targets, side.usd_micro) for side in crowd.sides} == {
            token: (outcome.supporters, outcome.usd * 1_000_000) for token, outcome in expected.items()
        }
        asked = decision.reasons[0] not in (Reason.TRADE_TOO_OLD,)
        assert not asked or decision.stands[0].crowd == 0


@QUICK
@given(steps=STEPS, crash_at=crash_sets(40, apart=8), partly=st.integers(0, 2))
def test_limits_hold_after_every_commit_over_crashes(steps, crash_at, partly):
    made = world(plan=CrashPlan(crash_at), partly=partly)
    made.run(lambda one: play(one, steps))
    check(made)


@QUICK
@given(steps=STEPS, more=STEPS, calm_s=st.sampled_from([0.0, 0.2, 30.0]))
def test_limits_hold_over_a_restart(steps, more, calm_s):
    first = world()
    first.run(lambda one: play(one, steps), calm_s=calm_s)
    second = world(first.ledger)
    second.run(lambda one: play(one, more, first=len(steps)))
    check(second)
