from hypothesis import given
from hypothesis import strategies as st
from worked_example.whale import whale_of
from worked_example.whale_watch import WhaleWatch
from worked_example.whale_world import LEAST_USD, WhaleWorld, trade_of

from protocols.errors import TransientError

# A crash is followed by something else: an item that fails three times is dead-lettered, and that is another test.
STEPS = st.lists(
    st.one_of(
        st.sampled_from([["works"], ["away"], ["answer lost"]]),
        st.sampled_from([["crash before", "works"], ["crash after", "works"]]),
    ),
    max_size=12,
).map(lambda parts: [step for part in parts for step in part])
USD = st.lists(st.integers(1, 2_000), max_size=12)


def wanted(usd):
    trades = [trade_of(number, amount).trade for number, amount in enumerate(usd)]
    return {trade.trade_id for trade in trades if trade.price * trade.size_micro >= 1_000_000 * LEAST_USD}


@given(usd=USD, script=STEPS)
def test_whatever_fails_and_whenever_each_large_trade_is_recorded_once(usd, script):
    world = WhaleWorld(usd, script)
    statistics = world.run()
    assert set(world.store.kept) == wanted(usd)
    assert statistics.sent == statistics.received == len(usd)
    assert statistics.dropped == statistics.dead_lettered == statistics.depth == statistics.unacknowledged == 0


class Hasty(WhaleWatch):
    """Takes weather for the end of the matter: what a hurried author might write."""

    async def _record(self, whales):
        try:
            self.recorded += await self.store.record(whales)
        except TransientError:
            self.failures += 1


def test_the_property_catches_an_actor_that_forgets_a_batch():
    world = WhaleWorld([5_000], ["away"], watch=Hasty)
    world.run()
    assert set(world.store.kept) < wanted([5_000])


def test_an_item_that_always_fails_is_given_up_and_the_rest_goes_on():
    world = WhaleWorld([5_000, 10, 6_000], ["crash before"] * 3)
    statistics = world.run()
    assert statistics.dead_lettered == 1
    assert set(world.store.kept) == wanted([5_000, 10, 6_000]) - {trade_of(0, 5_000).trade.trade_id}


def test_the_limit_belongs_to_the_whales():
    assert whale_of(trade_of(1, 1_000).trade, LEAST_USD).usd == 1_000
    assert whale_of(trade_of(1, 999).trade, LEAST_USD) is None
