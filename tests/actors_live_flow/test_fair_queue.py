from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK

from actors.live.fair_queue import FairQueue
from actors.rules.live.signals import order_id_of
from protocols.live.orders import LiveIntent, OrderOrigin, Side


def claim(strategy: str, number: int, origin: OrderOrigin = OrderOrigin.COPY) -> LiveIntent:
    return LiveIntent(
        order_id=order_id_of(strategy, str(number), 1),
        strategy_id=strategy,
        cause=str(number),
        origin=origin,
        side=Side.BUY,
        condition_id=f"m{number}",
        token_id="1",
        signal_price=Decimal("0.5"),
        signal_ms=number,
        decided_ms=number,
    )


CLAIMS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), unique=True, max_size=60)


def anything(_: LiveIntent) -> bool:
    return True


@given(CLAIMS, st.integers(1, 20))
@QUICK
def test_every_claim_is_picked_once_and_in_the_order_of_its_strategy(wanted, count_max):
    queue = FairQueue()
    for strategy, number in wanted:
        assert queue.add(claim(strategy, number))
    picked = []
    while len(queue):
        one = queue.pick(count_max, anything)
        assert 0 < len(one) <= count_max
        picked += one
    assert {(one.strategy_id, int(one.cause)) for one in picked} == set(wanted)
    for strategy in "abc":
        mine = [int(one.cause) for one in picked if one.strategy_id == strategy]
        assert mine == [number for owner, number in wanted if owner == strategy]


@given(CLAIMS, st.integers(1, 20))
@QUICK
def test_no_strategy_is_more_than_one_turn_ahead_of_one_that_waits(wanted, count_max):
    queue = FairQueue()
    for strategy, number in wanted:
        queue.add(claim(strategy, number))
    left = {strategy: sum(owner == strategy for owner, _ in wanted) for strategy in "abc"}
    served = dict.fromkeys("abc", 0)
    while len(queue):
        for one in queue.pick(count_max, anything):
            served[one.strategy_id] += 1
            left[one.strategy_id] -= 1
            waiting = [served[other] for other in "abc" if left[other]]
            assert not waiting or served[one.strategy_id] <= min(waiting) + 1


def test_a_hundred_claims_of_one_do_not_keep_another_waiting():
    queue = FairQueue()
    for number in range(100):
        queue.add(claim("busy", number))
    queue.add(claim("quiet", 1))
    assert [one.strategy_id for one in queue.pick(2, anything)] == ["busy", "quiet"]


def test_what_sells_goes_before_what_buys():
    queue = FairQueue()
    queue.add(claim("a", 1))
    queue.add(claim("a", 2, OrderOrigin.EXIT))
    queue.add(claim("a", 3, OrderOrigin.EXIT))
    assert [one.cause for one in queue.pick(3, anything)] == ["2", "3", "1"]


def test_what_is_not_ready_stays_and_lets_others_pass():
    queue = FairQueue()
    for number in (1, 2):
        queue.add(claim("a", number))
    assert [one.cause for one in queue.pick(5, lambda one: one.cause != "1")] == ["2"]
    assert len(queue) == 1
    assert not queue.add(claim("a", 1))
    assert [one.cause for one in queue.pick(5, anything)] == ["1"]


def test_a_claim_that_was_picked_may_come_again():
    queue = FairQueue()
    queue.add(claim("a", 1))
    queue.pick(1, anything)
    assert queue.add(claim("a", 1))
