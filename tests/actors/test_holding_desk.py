import itertools
from collections.abc import Awaitable, Callable
from decimal import Decimal

import attrs
import pytest
import trio
from property.deciding_world import LEADER, VirtualWall, trade
from property.fake_paper_ports import FakeTraderHoldings
from property.made_decisions import TOKEN
from property.made_trades import NOON_S, condition
from property.supervised import run_jumping

from actors.holding_desk import ASK_PAUSE_S, ASK_VENUE_S, RETRY_S, TRIES_MAX, HoldingDesk
from actors.rules.paper.holding import VENUE_LAG_MS
from protocols.errors import TransientError
from protocols.paper import Holding, SeenFill
from protocols.positions import PositionChange, PositionEvent

PAIR = (LEADER, TOKEN)


@attrs.define(eq=False)
class Store:
    """What the desk reads and keeps of a `PaperStore`."""

    fills: list[SeenFill] = attrs.field(factory=list)
    kept: list[Holding] = attrs.field(factory=list)
    polled: list[Holding] = attrs.field(factory=list)
    """What a poller's latest snapshot says, as if of ten seconds before it."""
    fails: int = 0
    readings: list[float] = attrs.field(factory=list)

    async def holdings(self, pairs):
        self.readings.append(trio.current_time())
        if self.fails:
            self.fails -= 1
            raise TransientError("down")
        return [one for one in [*self.kept, *self.polled] if (one.wallet, one.token_id) in pairs], self.fills

    async def keep_holding(self, holding):
        self.kept.append(holding)


@attrs.define(eq=False)
class Venue(FakeTraderHoldings):
    fails: int = 0
    asked: list[float] = attrs.field(factory=list)

    async def holding_micro(self, wallet, condition_id, token_id):
        self.asked.append(trio.current_time())
        if self.fails:
            self.fails -= 1
            raise TransientError("502")
        return await super().holding_micro(wallet, condition_id, token_id)


def seen(number, side="BUY", micro=10, at_s=0):
    return SeenFill(trade_id=f"trade-{number}", wallet=LEADER, token_id=TOKEN, side=side, size_micro=micro,
                    trade_ms=(NOON_S + at_s) * 1000)  # fmt: skip


def sold(number=99, at_s=100):
    return trade(number, side="SELL", trade_ms=(NOON_S + at_s) * 1000).trade


def during(desk: HoldingDesk, scenario: Callable[[], Awaitable[None]]) -> None:
    async def main():
        async with trio.open_nursery() as nursery:
            await nursery.start(desk.run)
            await scenario()
            nursery.cancel_scope.cancel()

    run_jumping(main)


def desk_of(store, venue):
    return HoldingDesk(store=store, venue=venue, clock=VirtualWall())


def test_stored_and_noted_fills_are_one_history_whatever_comes_first():
    store = Store(fills=[seen(1, micro=100), seen(2, micro=50)])
    desk = desk_of(store, Venue())

    async def scenario():
        desk.track(LEADER, condition(7), TOKEN)
        desk.note(trade(2, size_micro=50).trade)
        desk.note(trade(3, size_micro=7).trade)
        assert not desk.knows(*PAIR)
        await desk.fetch(*PAIR, deadline_s=trio.current_time() + 2)
        assert desk.knows(*PAIR)
        assert desk.before(sold()) == 157

    during(desk, scenario)


def test_the_venue_is_asked_once_and_its_answer_is_kept():
    store, venue = Store(), Venue(micro={PAIR: 1_000})
    desk = desk_of(store, venue)

    async def scenario():
        desk.track(LEADER, condition(7), TOKEN)
        await trio.sleep(50)
        desk.note(trade(5, size_micro=20, trade_ms=(NOON_S + 40) * 1000).trade)
        assert desk.before(sold()) == 1_020

    during(desk, scenario)
    assert venue.asked == [ASK_VENUE_S]
    (kept,) = store.kept
    assert kept.as_of_ms == round((NOON_S + ASK_VENUE_S) * 1000) - VENUE_LAG_MS


def test_what_a_run_before_kept_is_not_asked_for_again():
    store, venue = Store(kept=[Holding(wallet=LEADER, token_id=TOKEN, micro=500, as_of_ms=NOON_S * 1000)]), Venue()
    desk = desk_of(store, venue)

    async def scenario():
        desk.track(LEADER, condition(7), TOKEN)
        await trio.sleep(60)
        assert desk.before(sold()) == 500

    during(desk, scenario)
    assert not venue.asked


def followed_for_long(venue):
    desk = desk_of(Store(), venue)

    async def scenario():
        desk.track(LEADER, condition(7), TOKEN)
        await trio.sleep(1_000)

    during(desk, scenario)
    return venue.asked


def test_a_venue_that_fails_is_asked_again_and_not_for_ever():
    asked = followed_for_long(Venue(micro={PAIR: 9}, fails=2))
    pause_s = max(RETRY_S, ASK_PAUSE_S)
    assert asked == [ASK_VENUE_S, ASK_VENUE_S + pause_s, ASK_VENUE_S + 2 * pause_s]
    assert len(followed_for_long(Venue(fails=100))) == TRIES_MAX


def test_many_pairs_at_once_are_asked_for_one_after_the_other_and_their_fills_read_at_once():
    store, venue = Store(), Venue()
    desk = desk_of(store, venue)

    async def scenario():
        for number in range(500):
            desk.track(LEADER, condition(7), str(number))
        await trio.sleep(60)
        assert all(desk.knows(LEADER, str(number)) for number in range(500))
        await trio.sleep(840)

    during(desk, scenario)
    pauses_s = [later - earlier for earlier, later in itertools.pairwise(venue.asked)]
    assert len(venue.asked) == 15
    assert set(pauses_s) == {ASK_PAUSE_S}


def test_a_database_that_is_down_is_read_when_it_is_back():
    store = Store(fills=[seen(1)], fails=3)
    desk = desk_of(store, Venue())

    async def scenario():
        desk.track(LEADER, condition(7), TOKEN)
        await desk.fetch(*PAIR, deadline_s=trio.current_time() + 0.5)
        assert not desk.knows(*PAIR)
        await trio.sleep(20)
        assert desk.before(sold()) == 10

    during(desk, scenario)


def test_pairs_of_which_nothing_is_open_are_forgotten():
    desk = desk_of(Store(fills=[seen(1)]), Venue())

    async def scenario():
        desk.track(LEADER, condition(7), TOKEN)
        await trio.sleep(20)
        desk.keep_only([])
        assert desk.before(sold()) is None
        assert desk.knows(*PAIR)

    during(desk, scenario)


def test_a_portfolio_is_asked_for_once_in_ten_minutes_and_unknown_is_none():
    venue = Venue(portfolios={LEADER: Decimal(200)})
    desk = desk_of(Store(), venue)

    async def scenario():
        assert await desk.portfolio_usd(LEADER) == 200
        venue.portfolios[LEADER] = Decimal(300)
        assert await desk.portfolio_usd(LEADER) == 200
        await trio.sleep(601)
        assert await desk.portfolio_usd(LEADER) == 300
        del venue.portfolios[LEADER]
        await trio.sleep(601)
        assert await desk.portfolio_usd(LEADER) == 300
        assert await desk.portfolio_usd("0x" + "00" * 20) is None

    during(desk, scenario)


def test_a_change_that_a_poller_saw_spares_the_venue_a_question():
    store, venue = Store(), Venue(micro={PAIR: 1_000})
    desk = desk_of(store, venue)

    async def scenario():
        desk.track(LEADER, condition(7), TOKEN)
        desk.note(trade(2, size_micro=50, trade_ms=NOON_S * 1000).trade)
        await trio.sleep(4)
        await desk.observe(changed(950, 1_000))
        await desk.observe(attrs.evolve(changed(0, 5), token_id="another"))
        await trio.sleep(60)
        assert desk.before(sold()) == 1_000

    during(desk, scenario)
    assert venue.asked == []
    assert [(one.micro, one.as_of_ms) for one in store.kept] == [(1_000, NOON_S * 1000)]
    assert desk.observed == 1


def test_a_change_that_cannot_be_told_from_what_is_on_its_way_is_not_believed():
    venue = Venue(micro={PAIR: 70})
    desk = desk_of(Store(), venue)

    async def scenario():
        desk.track(LEADER, condition(7), TOKEN)
        desk.note(trade(2, size_micro=50, trade_ms=NOON_S * 1000).trade)
        await trio.sleep(4)
        await desk.observe(changed(0, 33))
        await trio.sleep(60)
        assert desk.before(sold()) == 70

    during(desk, scenario)
    assert len(venue.asked) == 1


def test_a_venue_that_hangs_keeps_no_stored_fills_from_being_read():
    class Hanging(Venue):
        async def holding_micro(self, wallet, condition_id, token_id):
            await trio.sleep(90)
            raise TransientError("nothing came")

    store = Store(fills=[seen(1, micro=100)])
    desk = desk_of(store, Hanging())

    async def scenario():
        desk.track("another", condition(8), "8")
        await trio.sleep(ASK_VENUE_S + 1)
        desk.track(LEADER, condition(7), TOKEN)
        await desk.fetch(*PAIR, deadline_s=trio.current_time() + 2)
        assert desk.before(sold()) == 100

    during(desk, scenario)


@pytest.mark.parametrize("was_seen_change", [True, False])
def test_a_snapshot_that_may_have_the_copied_trade_already_does_not_count_it_twice(was_seen_change):
    polled = Holding(wallet=LEADER, token_id=TOKEN, micro=50, as_of_ms=(NOON_S + 4) * 1000 - VENUE_LAG_MS)
    store, venue = Store(polled=[polled]), Venue(micro={PAIR: 50})
    desk = desk_of(store, venue)

    async def scenario():
        desk.track(LEADER, condition(7), TOKEN)
        desk.note(trade(2, size_micro=50, trade_ms=NOON_S * 1000).trade)
        await trio.sleep(4)
        if was_seen_change:
            await desk.observe(changed(0, 50))
        await trio.sleep(2)
        assert desk.knows(*PAIR)
        assert desk.before(sold()) == 50
        await trio.sleep(60)
        assert desk.before(sold()) == 50

    during(desk, scenario)
    assert len(venue.asked) == (0 if was_seen_change else 1)


def test_an_answer_that_may_have_the_latest_fill_is_asked_for_again():
    desk = desk_of(Store(), Venue(micro={PAIR: 1_020}))

    async def scenario():
        desk.track(LEADER, condition(7), TOKEN)
        desk.note(trade(5, size_micro=20, trade_ms=(NOON_S + 8) * 1000).trade)
        await trio.sleep(ASK_VENUE_S + ASK_PAUSE_S + RETRY_S + 1)
        assert desk.before(sold(at_s=500)) == 1_020

    during(desk, scenario)


def changed(before_micro, after_micro):
    return PositionEvent(
        wallet=LEADER, token_id=TOKEN, condition_id=condition(7), change=PositionChange.INCREASED,
        before_micro=before_micro, after_micro=after_micro, seen_ms=VirtualWall().now_ms(),
    )  # fmt: skip
