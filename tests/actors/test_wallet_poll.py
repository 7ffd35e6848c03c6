import attrs
import pytest
import trio
from property.fake_accounts import FakeAccounts, Happening, condition_of
from property.fake_poll_store import FakePollStore
from property.made_trades import NOON_S
from property.poll_world import PollWorld, W
from property.supervised import run_jumping

from actors.polling import wallet_poll
from actors.polling.venue_asking import VenueFailure
from actors.rules.positions import UNEXPLAINED_MS
from protocols.polling import TradeList
from protocols.positions import CloseReason, MarketEnd

OPEN = {"c0": MarketEnd.OPEN}


def did(world, kind, token="1", micro=10):
    second = NOON_S + round(trio.current_time())
    world.accounts.did(W, Happening(second, kind, token, micro, number=second - NOON_S + 1))


def played(story, *, markets=OPEN, **accounts):
    world = PollWorld(accounts=FakeAccounts(**accounts), store=FakePollStore(markets=dict(markets)))
    poll = world.new_poll()

    async def once(*answers, after_s=100.0, within_s=float("inf"), with_trades=False):
        await trio.sleep(after_s)
        world.accounts.script.extend(answers)
        deadline_s = trio.current_time() + within_s
        await poll.poll(W, world.store, world.outlets, with_trades=with_trades, deadline_s=deadline_s)

    async def main():
        async with trio.open_nursery() as nursery:
            await world.open(nursery)
            await story(world, once)
            nursery.cancel_scope.cancel()

    run_jumping(main)
    return world, poll


def closes(world):
    return [(token, reason) for _, token, _, reason, _ in world.store.closed]


def test_a_row_that_is_not_understood_makes_a_snapshot_of_nothing():
    async def story(world, once):
        did(world, "BUY")
        await once()
        did(world, "BUY", "3", 5)
        with pytest.raises(VenueFailure) as caught:
            await once("malformed")
        assert caught.value.kind == "malformed"
        assert world.store.snapshots[W] == 1

    world, poll = played(story)
    assert world.store.current(W) == {"1": 10}
    assert poll.figures.failures == {"malformed": 1}


def test_a_reward_is_understood_though_it_is_no_trade():
    async def story(world, once):
        did(world, "REWARD")
        did(world, "BUY")
        await once(with_trades=True)
        assert world.accounts.calls["activity"] == 1

    _, poll = played(story)
    assert (poll.figures.trades, poll.figures.malformed) == (1, {})


def test_what_the_list_left_out_and_its_market_has_is_held_and_nothing_more_is_asked():
    async def story(world, once):
        did(world, "BUY")
        await once()
        did(world, "SELL", micro=4)
        await once("skip")
        assert world.store.current(W) == {"1": 6}
        assert world.accounts.calls == {"positions": 2, "confirmation": 1}

    world, _ = played(story)
    assert closes(world) == []


def test_a_confirmation_that_fails_closes_nothing_and_the_rest_of_the_snapshot_counts():
    async def story(world, once):
        did(world, "BUY")
        await once()
        did(world, "SELL")
        did(world, "BUY", "3", 5)
        with pytest.raises(VenueFailure):
            await once("ok", "transient")
        assert world.store.current(W) == {"1": 10, "3": 5}
        with pytest.raises(VenueFailure):
            await once("ok", "ok", "transient")
        assert closes(world) == []
        await once()

    world, _ = played(story)
    assert closes(world) == [("1", CloseReason.MANUAL_CLOSE)]


@pytest.mark.parametrize("answers", [("ok", "transient"), ("ok", "ok", "transient")])
def test_what_could_not_be_looked_into_is_missing_from_then_on(answers):
    async def story(world, once):
        did(world, "BUY")
        await once()
        did(world, "GONE")
        with pytest.raises(VenueFailure):
            await once(*answers)
        assert world.store.rows[W]["1"].position.missing_since_ms == (NOON_S + 200) * 1000
        await once(after_s=UNEXPLAINED_MS / 1000)

    world, _ = played(story)
    assert closes(world) == [("1", CloseReason.MANUAL_CLOSE)]


@pytest.mark.parametrize(
    ("kind", "markets", "expected"),
    [
        ("SELL", {}, CloseReason.MANUAL_CLOSE),
        ("SELL", {"c0": MarketEnd.ENDED}, CloseReason.MANUAL_CLOSE),
        ("REDEEM", {"c0": MarketEnd.ENDED}, CloseReason.REDEEMED),
    ],
)
def test_what_activity_explains_is_closed_by_the_poll_that_misses_it(kind, markets, expected):
    async def story(world, once):
        did(world, "BUY")
        await once()
        did(world, kind)
        await once()

    world, _ = played(story, markets=markets)
    assert closes(world) == [("1", expected)]


@pytest.mark.parametrize(
    ("end", "expected"), [(MarketEnd.ENDED, CloseReason.MARKET_CLOSED), (MarketEnd.OPEN, CloseReason.MANUAL_CLOSE)]
)
def test_what_nothing_explains_is_believed_after_ten_minutes_and_asked_about_at_times(end, expected):
    async def story(world, once):
        did(world, "BUY")
        await once()
        did(world, "GONE")
        gone_s = trio.current_time()
        while not world.store.closed:
            await once(after_s=1)
        assert UNEXPLAINED_MS / 1000 <= trio.current_time() - gone_s <= UNEXPLAINED_MS / 1000 + 15
        # Every second it was polled, every ten it was looked into.
        assert world.accounts.calls["confirmation"] <= 65

    world, _ = played(story, markets={"c0": end})
    assert closes(world) == [("1", expected)]


def test_an_account_that_did_more_than_can_be_read_keeps_no_position_for_ever():
    async def story(world, once):
        did(world, "BUY")
        await once()
        did(world, "GONE")
        for n in range(30):
            did(world, "BUY", "3", n + 1)
        world.accounts.page_rows = 1
        await once(*["ok"] * 2, *["slow"] * 100, within_s=90)
        assert world.store.current(W).keys() == {"1", "3"}
        world.accounts.script.clear()
        await once(after_s=UNEXPLAINED_MS / 1000)

    world, _ = played(story)
    assert closes(world) == [("1", CloseReason.MANUAL_CLOSE)]


def test_a_market_that_nobody_knows_is_asked_for():
    async def story(world, once):
        did(world, "BUY")
        await once()
        did(world, "GONE")
        await once()
        assert await world.markets.inbox.batch(5) == [condition_of("1")]

    played(story, markets={})


def test_many_that_went_at_once_are_looked_into_a_hundred_a_poll():
    tokens = [str(2 * n + 1) for n in range(150)]

    async def story(world, once):
        for token in tokens:
            did(world, "BUY", token)
        await once()
        for token in tokens:
            did(world, "SELL", token)
        await once()
        assert len(world.store.closed) == 100
        assert world.accounts.calls["confirmation"] == 5
        await once(after_s=0.5)

    world, _ = played(story, page_rows=1_000, markets={})
    assert len(world.store.closed) == 150


def test_an_account_with_too_many_pages_is_left_as_it_was(monkeypatch):
    monkeypatch.setattr(wallet_poll, "PAGES_MAX", 3)

    async def story(world, once):
        did(world, "BUY")
        await once()
        for n in range(5):
            did(world, "BUY", str(n + 3))
        with pytest.raises(VenueFailure) as caught:
            await once()
        assert caught.value.kind == "too_many"

    world, _ = played(story, page_rows=1)
    assert world.store.current(W) == {"1": 10}


def test_a_list_that_does_not_end_is_given_up():
    class Endless(FakeAccounts):
        async def held_page(self, wallet, *, condition_ids=(), cursor=None):
            page = await super().held_page(wallet, condition_ids=condition_ids, cursor=None)
            return attrs.evolve(page, next_cursor="7")

    world = PollWorld(accounts=Endless())

    async def main():
        with pytest.raises(VenueFailure) as caught:
            await world.new_poll().poll(W, world.store, world.outlets, with_trades=False)
        assert caught.value.kind == "endless"

    run_jumping(main)
    assert world.accounts.calls["positions"] == 2


def test_what_a_wallet_did_before_the_sets_had_it_is_handed_over_when_they_have_it():
    world = PollWorld()
    lane = world.lanes.pop(W)
    for number, ago_s in enumerate((3_600, 600, 5)):
        world.accounts.did(W, Happening(NOON_S - ago_s, "BUY", "1", 10, number=number + 1))

    async def story():
        poll = world.new_poll()
        assert await poll.poll(W, world.store, world.outlets, with_trades=True) is None
        assert poll.reading.unsettled == 0
        world.lanes[W] = lane
        assert await poll.poll(W, world.store, world.outlets, with_trades=True) is TradeList.ACTIVITY
        assert poll.figures.trades == 3

    async def main():
        async with trio.open_nursery() as nursery:
            await world.open(nursery)
            await story()
            nursery.cancel_scope.cancel()

    run_jumping(main)
