from decimal import Decimal

import msgspec
import pytest
from actors_strategy.judged_trades import NOW_MS, TRADE, TRADER, market, settings_of, trade
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK, examples
from property.made_trades import condition, wallet
from reference.reference_conflicts import outcomes_of

from actors.rules.paper.fill import Fill, fill_buy
from actors.rules.strategy.conflict_gates import CONFLICT_GATES
from actors.rules.strategy.crowds import STANCE_MS, crowd_of, market_fill
from actors.rules.strategy.eligibility import Chain
from actors.rules.strategy.sizing import stake_usd
from actors.rules.strategy.stands import cut_to_room, fill_in_room, least_stake, stand_of
from actors.rules.strategy.traits import traits_of
from actors.rules.strategy.verdict import explain
from protocols.conflicts import Circle, Crowd, Side, Stand
from protocols.decisions import Book, Reason
from protocols.paper import OpenOrder
from protocols.strategies import ConflictPolicy, EntryModel

D = Decimal
OTHER = wallet(2)
EVERYONE = Circle(None)
WITH_OUTCOMES = market(outcomes=("Lakers", "Celtics"), token_ids=("1", "2"), event_slug="lakers-celtics")
TRADES = st.lists(
    st.builds(
        lambda who, token, side, size, cents, age_ms: trade(
            wallet=wallet(who), token_id=token, side=side, size_micro=size, price=D(cents).scaleb(-2),
            trade_ms=NOW_MS - age_ms,
        ),
        who=st.integers(1, 4),
        token=st.sampled_from(["1", "2", "3"]),
        side=st.sampled_from(["BUY", "BUY", "SELL"]),
        size=st.sampled_from([1, 500_000, 1_000_000, 1_000_000, 2_000_000]),
        cents=st.sampled_from([1, 40, 50, 99]),
        age_ms=st.sampled_from([0, 1_000, STANCE_MS, STANCE_MS + 1]),
    ),
    max_size=12,
)  # fmt: skip


def fill(one):
    return market_fill(
        trade_id=one.trade_id, wallet=one.wallet, condition_id=one.condition_id, token_id=one.token_id, side=one.side,
        size_micro=one.size_micro, price=one.price, trade_ms=one.trade_ms,
    )  # fmt: skip


def crowd(*trades, circle=EVERYONE):
    last = trades[-1]
    return crowd_of([fill(one) for one in trades], circle, wallet=last.wallet, trade_ms=last.trade_ms)


def as_map(made):
    return {side.token_id: (side.targets, side.usd_micro) for side in made.sides}


def buys(who, token, shares, price="0.5", side="BUY", **changes):
    return trade(
        wallet=wallet(who), token_id=token, size_micro=shares * 1_000_000, price=D(price), side=side, **changes
    )


def order(**changes):
    made = {
        "order_id": "1", "wallet_id": "BOT", "trader": OTHER, "condition_id": condition(7), "token_id": "2",
        "trade_ms": NOW_MS, "entry_price": D("0.5"), "shares": D(10), "cost": D(5),
    }  # fmt: skip
    return OpenOrder(**(made | changes))


@examples(200)
@given(TRADES, st.sets(st.integers(1, 4)), st.sets(st.integers(1, 4)), st.booleans())
def test_targets_stand_as_the_slow_reference_says(trades, targets, excluded, everyone):
    one = buys(1, "1", 1)
    counted = None if everyone else frozenset(map(wallet, targets))
    left_out = frozenset(map(wallet, excluded))
    expected = outcomes_of([*trades, one], one, counted, left_out)
    made = crowd(*trades, one, circle=Circle(counted, left_out))
    assert as_map(made) == {token: (outcome.supporters, outcome.usd * 1_000_000) for token, outcome in expected.items()}
    assert [side.token_id for side in made.sides] == sorted(expected)


def test_who_sold_out_counts_no_longer_and_gains_are_no_money_on_the_other_side():
    held = [buys(2, "2", 100, "0.4"), buys(1, "1", 10)]
    assert as_map(crowd(*held)) == {"1": (1, 5_000_000), "2": (1, 40_000_000)}
    sold = [held[0], buys(2, "2", 100, "0.9", side="SELL"), held[1]]
    assert as_map(crowd(*sold)) == {"1": (1, 5_000_000), "2": (0, 0)}
    took_out_more = [held[0], buys(2, "2", 90, "0.9", side="SELL"), held[1]]
    assert as_map(crowd(*took_out_more)) == {"1": (1, 5_000_000), "2": (1, 0)}
    only_sales = [buys(2, "2", 50, side="SELL"), buys(2, "2", 10), held[1]]
    assert as_map(crowd(*only_sales))["2"] == (0, 0)


def test_a_target_on_both_sides_counts_on_the_one_of_which_he_holds_more_or_on_none():
    more = [buys(2, "1", 30), buys(2, "2", 20), buys(1, "1", 1)]
    assert as_map(crowd(*more)) == {"1": (2, 15_500_000), "2": (0, 10_000_000)}
    even = [buys(2, "1", 20), buys(2, "2", 20), buys(1, "3", 1)]
    assert as_map(crowd(*even)) == {"1": (0, 10_000_000), "2": (0, 10_000_000), "3": (1, 500_000)}


def test_the_trader_of_the_trade_counts_even_when_he_is_no_target_any_more():
    assert as_map(crowd(buys(2, "2", 9), buys(1, "1", 1), circle=Circle(frozenset()))) == {"1": (1, 500_000)}


def fails(policy, *sides, token="1", known=True):
    crowds = (Crowd(sides=tuple(Side(token_id=id_, targets=n, usd_micro=usd) for id_, n, usd in sides)),)
    inputs = trade(token_id=token, crowds=crowds if known else None)
    chain = Chain.of(settings_of(conflict_policy=policy), None)
    return chain.first_conflict(traits_of(inputs), Stand(crowd=0 if known else None))


@pytest.mark.parametrize(
    ("sides", "majority", "net"),
    [
        ([("1", 1, 1)], False, False),
        ([("1", 1, 5), ("2", 1, 4)], True, False),
        ([("1", 2, 5), ("2", 1, 5)], False, True),
        ([("1", 2, 5), ("2", 1, 1), ("3", 2, 1)], True, False),
        ([("1", 0, 0)], True, True),
        ([("2", 1, 1)], True, True),
        ([], True, True),
    ],
)
def test_majority_and_net_want_strictly_more_than_any_other_outcome(sides, majority, net):
    assert fails(ConflictPolicy.MAJORITY, *sides) == (Reason.CONFLICT_MAJORITY if majority else None)
    assert fails(ConflictPolicy.NET, *sides) == (Reason.CONFLICT_NET if net else None)


def test_what_nobody_knows_is_not_copied():
    assert fails(ConflictPolicy.MAJORITY, ("1", 5, 5), known=False) is Reason.CONFLICT_MAJORITY
    assert fails(ConflictPolicy.NET, ("1", 5, 5), known=False) is Reason.CONFLICT_NET


def test_without_a_policy_there_is_nothing_to_ask():
    assert Chain.of(settings_of(), None).conflicts == ()
    assert not any(gate.is_on(settings_of()) for gate in CONFLICT_GATES)


def test_a_strategy_stands_against_what_it_holds_from_others_in_this_market_only():
    orders = [
        order(order_id="1"),
        order(order_id="2", trader=TRADER, token_id="3"),
        order(order_id="3", token_id="1", trader=wallet(3), cost=D("2.5")),
        order(order_id="4", token_id="1", trader=wallet(3)),
        order(order_id="5", token_id="1", trader=TRADER),
        order(order_id="6", condition_id=condition(8), token_id="9", event_slug="lakers-celtics"),
        order(order_id="7", condition_id=condition(9), token_id="9", event_slug="another"),
        order(order_id="8", condition_id=condition(9), token_id="9"),
    ]
    stand = stand_of(orders, trade(market=WITH_OUTCOMES))
    assert stand == Stand(against=("2",), beside=1, event_usd=D("27.5"))
    assert stand_of(orders, TRADE).event_usd == D("22.5"), "an unknown event is the market by itself"


@QUICK
@given(
    limit=st.sampled_from(["0", "0.49", "0.5", "5", "9.99", "10", "100"]),
    held=st.sampled_from(["0", "0.01", "4.5", "4.500001", "9.5", "200"]),
    least=st.sampled_from(["0", "0.5", "2"]),
    rate=st.sampled_from([None, D("0.07"), D(1)]),
    price=st.sampled_from(["0.01", "0.4", "0.5", "0.97"]),
    model=st.sampled_from(EntryModel),
)
def test_an_order_with_its_fee_never_costs_more_than_the_event_has_room_for(limit, held, least, rate, price, model):
    settings = settings_of(
        max_event_exposure_usd=D(limit), min_bet=D(least), bet_size=D(10), max_bet=D(10), entry_model=model,
        fill_slippage_max_pct=D(100),
    )  # fmt: skip
    steps = ((1, 3), (D("1.01"), 3), (D("1.02"), 3), (D("1.03"), 5_000))
    asks = tuple((D(price) * step, D(size)) for step, size in steps)
    book = Book(bids=(), asks=tuple((min(at, D("0.99")), size) for at, size in asks), observed_ms=0)
    inputs = trade(price=D(price), market=market(fee_rate=rate), book=book)
    stand, room = Stand(event_usd=D(held)), D(limit) - D(held)
    gate = Chain.of(settings, None).first_conflict(traits_of(inputs), stand)
    assert (gate is Reason.EVENT_EXPOSURE) == (room < least_stake(settings))
    if gate is not None:
        return
    stake = cut_to_room(settings, stake_usd(settings, traits_of(inputs), D(1000)), stand)
    assert least_stake(settings) <= stake <= min(D(10), room)
    filled = fill_in_room(settings, inputs, stake, stand)
    if isinstance(filled, Fill):
        assert filled.stake + filled.fee <= room
    else:
        whole = fill_buy(settings, inputs, stake)
        over = whole.stake + whole.fee - room
        assert filled is Reason.EVENT_EXPOSURE
        assert over > 0
        assert stake - over < least_stake(settings) + D("0.01")


def test_why_shows_value_and_limit_of_each_policy_and_a_cut_stake():
    settings = settings_of(
        conflict_policy=ConflictPolicy.MAJORITY, max_targets_per_side=2, max_event_exposure_usd=D("5.5"),
        bet_size=D(4), min_bet=D("0.5"),
    )  # fmt: skip
    sides = (Side(token_id="1", targets=2, usd_micro=0), Side(token_id="2", targets=1, usd_micro=0))
    inputs = trade(market=WITH_OUTCOMES, crowds=(Crowd(sides=sides),))
    reports = {
        one.reason: one
        for one in explain(settings, None, traits_of(inputs), D(1000), Stand(beside=1, event_usd=D("3"), crowd=0))
    }
    assert not reports[Reason.CONFLICT_FIRST].is_on
    majority, side, event, stake = (
        reports[reason]
        for reason in (Reason.CONFLICT_MAJORITY, Reason.SIDE_LIMIT, Reason.EVENT_EXPOSURE, Reason.ZERO_STAKE)
    )
    assert (majority.passed, majority.value) == (True, "Lakers: 2, Celtics: 1")
    assert majority.limit == "more targets on Lakers than on any other outcome"
    assert (side.passed, side.value, side.limit) == (True, "others copied on this outcome: 1", "fewer than 2")
    assert (event.passed, event.value) == (True, "3 USD open in the event")
    assert event.limit == "5.5 USD, at least 0.5 of it left"
    assert (stake.value, stake.limit) == ("2.5", "more than 0 USD; cut from 4.00 for the event")


def test_a_decision_that_did_not_get_as_far_shows_no_policy_that_is_on():
    settings = settings_of(conflict_policy=ConflictPolicy.FIRST)
    reasons = [one.reason for one in explain(settings, None, traits_of(TRADE), D(5))]
    assert Reason.CONFLICT_FIRST not in reasons
    assert Reason.CONFLICT_NET in reasons, "it is off, which is known"


def test_the_first_outcome_is_named_by_its_label():
    settings = settings_of(conflict_policy=ConflictPolicy.FIRST)
    reports = explain(settings, None, traits_of(trade(market=WITH_OUTCOMES)), D(5), Stand(against=("2",)))
    first = next(one for one in reports if one.reason is Reason.CONFLICT_FIRST)
    assert (first.passed, first.value) == (False, "holds Celtics from other targets")
    assert first.limit == "nothing but Lakers, or all of it from this trader"


def test_stands_travel_as_json_and_empty_ones_are_short():
    encoded = msgspec.json.encode((None, Stand(), Stand(event_usd=D("1.50"), crowd=0)))
    assert encoded == b'[null,{},{"event_usd":"1.50","crowd":0}]'
    assert msgspec.json.decode(encoded, type=tuple[Stand | None, ...])[2].event_usd == D("1.50")
