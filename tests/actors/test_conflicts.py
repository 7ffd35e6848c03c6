"""Strategies whose targets disagree, in the engine's own actors over the store in memory."""

from decimal import Decimal

import msgspec
import pytest
import trio
from property.deciding_world import DecidingWorld, VirtualWall, market
from property.disagreeing import FIRST, LISTED, OTHER, A, B, C, one, reason
from property.made_decisions import TOKEN, strategy
from property.made_trades import NOON_S, condition

from engine.adapters.memory.paper_ledger import MemoryPaperLedger
from protocols.decisions import Book, Inputs
from protocols.errors import TransientError
from protocols.paper import Payouts
from protocols.strategies import Aggregation, ConflictPolicy, EntryModel
from protocols.trades import LanedTrade

MAJORITY = LISTED | {"conflict_policy": ConflictPolicy.MAJORITY}
NET = LISTED | {"conflict_policy": ConflictPolicy.NET}


class NoFills(MemoryPaperLedger):
    """A store that cannot read markets."""

    async def market_fills(self, *_args, **_kwargs):
        await trio.lowlevel.checkpoint()
        raise TransientError("database down")


def played(*steps, bots, world=None, **options):
    """Sends trades; a number waits so many seconds."""
    made = world if world is not None else DecidingWorld(bots, **options)

    async def play(running):
        for step in steps:
            if isinstance(step, LanedTrade):
                await running.send(step)
            else:
                await trio.sleep(step)

    return made.run(play)


def inputs_of(made, number, part="sides"):
    [found] = [d for d in made.decisions() if (d.trade_id, d.part) == (f"trade-{number}", part)]
    return msgspec.json.decode(found.snapshot, type=Inputs), found


@pytest.mark.parametrize("pause_s", [0.0, 1.0])
def test_first_keeps_to_the_outcome_of_the_first_target_whether_it_is_committed_or_on_its_way(pause_s):
    made = played(
        one(1, A),
        pause_s,
        one(2, B, OTHER),
        pause_s,
        one(3, B),
        pause_s,
        one(4, A, OTHER),
        bots=[strategy(**LISTED | FIRST)],
    )
    reasons = [reason(made, number) for number in (1, 2, 3, 4)]
    assert reasons == ["taken", "conflict_first", "taken", "conflict_first"]
    [stand] = next(d for d in made.decisions() if d.trade_id == "trade-2").stands
    assert stand.against == (TOKEN,)


def test_first_lets_the_target_himself_change_his_mind():
    made = played(one(1, A), one(2, A, OTHER), one(3, B, OTHER), bots=[strategy(**FIRST)])
    assert [reason(made, number) for number in (1, 2, 3)] == ["taken", "taken", "conflict_first"]


def test_first_is_free_again_when_what_it_held_is_sold_or_settled():
    sale = one(2, A, side="SELL")
    made = played(one(1, A), 1, sale, one(3, B, OTHER), 1, one(4, B, OTHER), bots=[strategy(**FIRST)])
    reasons = [reason(made, number) for number in (1, 2, 3, 4)]
    assert reasons == ["taken", "trader_sell", "conflict_first", "taken"], "a sale counts when it is committed"


def test_a_policy_never_keeps_a_sale_from_being_copied():
    strict = strategy(
        **LISTED | {"conflict_policy": ConflictPolicy.MAJORITY, "max_targets_per_side": 1,
                    "max_event_exposure_usd": Decimal(10)}
    )  # fmt: skip
    made = played(one(1, A), one(2, B, OTHER), one(3, C, OTHER), 1, one(4, A, side="SELL"), 1, one(5, A), bots=[strict])
    assert [reason(made, number) for number in (1, 2, 3, 5)] == [
        "taken", "conflict_majority", "event_exposure", "conflict_majority"
    ]  # fmt: skip
    # By the time of the sale most targets stand elsewhere, the side and the event are full.
    assert reason(made, 4) == "trader_sell"
    assert made.ledger.balances["BOT_1"].open_orders == 0


def test_majority_counts_targets_who_are_net_long_this_trade_included():
    made = played(
        one(1, A), 1, one(2, B, OTHER), 1, one(3, C, OTHER), 1, one(4, A), 1, one(5, C, OTHER, side="SELL"), 1,
        one(6, B, OTHER, side="SELL", shares=5), 1, one(7, B), 1, one(8, B),
        bots=[strategy(**MAJORITY)],
    )  # fmt: skip
    reasons = [reason(made, number) for number in (1, 2, 3, 4, 7, 8)]
    # 1: A alone. 2: one each. 3: two against one. 4: still. 7: B has 20 and 25 shares: he changed sides.
    assert reasons == ["taken", "conflict_majority", "taken", "conflict_majority", "taken", "taken"]
    inputs, decision = inputs_of(made, 4)
    [crowd] = inputs.crowds
    assert {side.token_id: side.targets for side in crowd.sides} == {TOKEN: 1, OTHER: 2}
    assert decision.stands[0].crowd == 0


def test_net_counts_money():
    made = played(
        one(1, A, shares=100), one(2, B, OTHER, shares=99), one(3, B, OTHER, shares=2), bots=[strategy(**NET)]
    )
    assert [reason(made, number) for number in (1, 2, 3)] == ["taken", "conflict_net", "taken"]


def test_only_its_own_targets_count_and_equal_targets_are_counted_once():
    two = LISTED | {"target_traders": (A, B)}
    bots = [
        strategy(1, **MAJORITY), strategy(2, **MAJORITY), strategy(3, **MAJORITY | two),
        strategy(4, **MAJORITY | {"excluded_traders": (C,)}), strategy(5, **LISTED),
    ]  # fmt: skip
    made = played(one(1, C, OTHER), one(2, A), bots=bots)
    reasons = [reason(made, 2, bot) for bot in (1, 2, 3, 4, 5)]
    assert reasons == ["conflict_majority", "conflict_majority", "taken", "taken", "taken"]
    inputs, decision = inputs_of(made, 2)
    assert len(inputs.crowds) == 3
    assert [stand.crowd for stand in decision.stands] == [0, 0, 1, 2]
    plain, its = inputs_of(made, 2, "now")
    assert (plain.crowds, its.stands) == (None, ())


def test_as_many_targets_as_are_allowed_are_copied_on_one_outcome():
    limited = strategy(**LISTED | {"max_targets_per_side": 2})
    made = played(
        one(1, A),
        one(2, B),
        one(3, C),
        one(4, C, OTHER),
        one(5, A),
        1,
        one(6, B, side="SELL"),
        1,
        one(7, C),
        bots=[limited],
    )
    reasons = [reason(made, number) for number in (1, 2, 3, 4, 5, 7)]
    assert reasons == ["taken", "taken", "side_limit", "taken", "taken", "taken"]


def test_markets_of_one_event_share_its_limit_and_the_last_stake_is_cut():
    limited = strategy(**LISTED | {"max_event_exposure_usd": Decimal(24), "min_bet": Decimal(4)})
    made = DecidingWorld([limited])
    for number, slug in ((7, "cup"), (8, "cup"), (9, None), (10, "cup")):
        made.markets.stored[condition(number)] = market(number, event_slug=slug, token_ids=(f"{number}1", f"{number}2"))
    played(
        *(
            one(number, who, f"{place}1", condition_id=condition(place), event_slug="cup")
            for number, who, place in ((1, A, 7), (2, B, 8), (3, A, 9), (4, C, 10), (5, A, 10))
        ),
        bots=(), world=made,
    )  # fmt: skip
    reasons = [reason(made, number) for number in (1, 2, 3, 4, 5)]
    assert reasons == ["taken", "taken", "taken", "taken", "event_exposure"]
    assert [order.stake for order in made.orders()] == [10, 10, 10, 4]
    assert [order.event_slug for order in made.orders()] == ["cup", "cup", None, "cup"]


def test_those_that_wait_are_decided_in_the_order_in_which_they_came():
    made = DecidingWorld([strategy(**FIRST | {"aggregate": Aggregation.WINDOW, "aggregate_window_s": 5})])
    played(one(1, A), 2, one(2, B, OTHER), bots=(), world=made)
    assert [d.trade_id for d in made.decisions()] == ["trade-1", "trade-2"]
    assert [reason(made, number) for number in (1, 2)] == ["taken", "conflict_first"]


def test_who_is_ready_does_not_go_before_one_that_waits_for_its_market():
    made = DecidingWorld([strategy(**FIRST)])
    late = made.markets.stored.pop(condition(7))

    async def play(world):
        await world.send(one(1, A))
        await trio.sleep(1)
        world.markets.stored[condition(7)] = late
        await world.send(one(2, B, OTHER))
        await world.send(one(3, C, OTHER))

    made.run(play)
    assert [d.trade_id for d in made.decisions()] == ["trade-1", "trade-2", "trade-3"]
    assert [reason(made, number) for number in (1, 2, 3)] == ["taken", "conflict_first", "conflict_first"]


def test_a_sale_does_not_wait_for_the_turn_of_what_it_sells():
    slow = {"aggregate": Aggregation.WINDOW, "aggregate_window_s": 600}
    made = DecidingWorld([strategy(**FIRST | slow)])
    played(one(1, A), 1, one(2, B), 1, one(3, B, side="SELL"), 5, bots=(), world=made)
    assert [d.trade_id for d in made.decisions()] == ["trade-2", "trade-3"]
    assert reason(made, 3) == "trader_sell"


def test_books_are_waited_for_together_and_decided_in_turn():
    made = DecidingWorld([strategy(**FIRST | {"entry_model": EntryModel.BOOK, "fill_delay_ms": 500})])
    book = Book(bids=(), asks=((Decimal("0.4"), Decimal(1_000)),), observed_ms=NOON_S * 1000)
    made.books.books = {TOKEN: book, OTHER: book}
    played(*(one(number, (A, B)[number % 2], (TOKEN, OTHER)[number % 2]) for number in range(20)), bots=(), world=made)
    assert {reason(made, number) for number in range(0, 20, 2)} == {"taken"}
    assert {reason(made, number) for number in range(1, 20, 2)} == {"conflict_first"}
    assert {d.decided_ms - NOON_S * 1000 for d in made.decisions()} == {500}


def test_how_targets_stand_is_the_same_after_a_restart():
    first = DecidingWorld([strategy(**MAJORITY)])
    played(one(1, A, OTHER), one(2, B, OTHER), 1, bots=(), world=first)
    again = DecidingWorld([strategy(**MAJORITY)], ledger=first.ledger)
    played(one(3, C), one(2, B, OTHER), one(4, C, OTHER), bots=(), world=again)
    assert [reason(again, number) for number in (1, 2, 3, 4)] == ["taken", "taken", "conflict_majority", "taken"]
    inputs, _ = inputs_of(again, 3)
    assert {side.token_id: side.targets for side in inputs.crowds[0].sides} == {TOKEN: 1, OTHER: 2}


def test_what_it_holds_is_the_same_after_a_restart():
    first = played(one(1, A), bots=[strategy(**FIRST)])
    again = DecidingWorld([strategy(**FIRST)], ledger=first.ledger)
    played(one(2, B, OTHER), one(3, B), bots=(), world=again)
    assert [reason(again, number) for number in (2, 3)] == ["conflict_first", "taken"]


def test_a_settled_market_leaves_room_in_its_event():
    limited = strategy(**LISTED | {"max_event_exposure_usd": Decimal(10)})
    made = DecidingWorld([limited])
    made.markets.stored[condition(7)] = market(event_slug="cup")
    made.markets.stored[condition(8)] = market(8, event_slug="cup", token_ids=("81", "82"))

    async def play(world):
        await world.send(one(1, A))
        await trio.sleep(1)
        await world.send(one(2, A, "81", condition_id=condition(8)))
        await trio.sleep(1)
        payouts = Payouts(condition_id=condition(7), by_token={TOKEN: Decimal(0), OTHER: Decimal(1)}, source="gamma")
        world.forward.tester.settled(await world.ledger.settle([payouts]))
        await world.send(one(3, A, "81", condition_id=condition(8)))

    made.run(play)
    assert [reason(made, number) for number in (1, 2, 3)] == ["taken", "event_exposure", "taken"]


def test_trades_of_a_market_that_cannot_be_read_are_not_copied_and_not_waited_for_long():
    made = DecidingWorld([strategy(1, **MAJORITY), strategy(2, **LISTED)], ledger=NoFills(clock=VirtualWall()))
    played(one(1, A), bots=(), world=made)
    assert (reason(made, 1, 1), reason(made, 1, 2)) == ("conflict_majority", "taken")
    inputs, decision = inputs_of(made, 1)
    assert inputs.crowds is None
    assert decision.decided_ms - NOON_S * 1000 == 2_000
    assert made.forward.sides.failures > 0
