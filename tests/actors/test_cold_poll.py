import pytest
import trio
from property.fake_accounts import FakeAccounts, Happening
from property.fake_poll_store import FakePollStore
from property.made_trades import NOON_S, wallet
from property.poll_world import PollWorld
from property.supervised import run_jumping

from actors.jobs.cold_poll import DOWN_AFTER, FRESH_S, ColdPoll
from config.poller import ColdPollerConfig
from protocols.errors import FencedError, TransientError
from protocols.jobs import JobLease, RunningJob
from protocols.trades import Lane

ALL = [wallet(n) for n in range(1, 41)]
LEASE = JobLease(job="cold-poll", owner="me", epoch=1, run_id=1, slot_ms=None, attempt=1)


class ColdWorld:
    """The job over a fake venue; `run` may be cut off, as when its engine dies."""

    def __init__(self, accounts=None, *, run_max_s=3_300.0, **settings):
        self.accounts = accounts or FakeAccounts()
        self.world = PollWorld(
            accounts=self.accounts, store=FakePollStore(traders=list(ALL)), lanes=dict.fromkeys(ALL, Lane.KNOWN)
        )
        self.settings, self.run_max_s = settings, run_max_s
        self.ingests = True
        self.kept_poll = None
        """One that remembers over several runs, as in one process."""

    @property
    def store(self):
        return self.world.store

    async def run(self, *, dies_after_s=float("inf")):
        running = RunningJob(lease=LEASE)
        job = ColdPoll(
            stores=self.store,
            wallet_poll=self.kept_poll or self.world.new_poll(),
            outlets=lambda: self.world.outlets if self.ingests else None,
            config=ColdPollerConfig(**self.settings),
            clock=self.world.new_poll().clock,
            run_max_s=self.run_max_s,
        )
        with trio.move_on_after(dies_after_s):
            await job.run(running)
        return running.figures

    def play(self, story):
        async def main():
            async with trio.open_nursery() as nursery:
                await self.world.open(nursery)
                await story()
                nursery.cancel_scope.cancel()

        run_jumping(main)


def test_everybody_is_polled_once_and_a_second_run_finds_nobody_due():
    cold = ColdWorld()

    async def story():
        assert (await cold.run())["polled"] == len(ALL)
        assert (await cold.run())["polled"] == 0
        await trio.sleep(FRESH_S + 1)
        assert (await cold.run())["polled"] == len(ALL)

    cold.play(story)
    assert cold.accounts.calls["positions"] == 2 * len(ALL)


def test_who_was_polled_by_the_hot_tier_lately_is_left_out():
    cold = ColdWorld()

    async def story():
        await trio.sleep(FRESH_S)
        now_ms = (NOON_S + round(trio.current_time())) * 1000
        cold.store.polled_ms = {ALL[3]: now_ms - 1_000, ALL[4]: now_ms - round(FRESH_S * 1000) - 1}
        assert (await cold.run())["polled"] == len(ALL) - 1

    cold.play(story)
    assert ALL[3] not in cold.store.snapshots


def test_a_run_goes_on_where_the_last_one_was_killed():
    slow = FakeAccounts(script=["slow"] * 1_000)
    cold = ColdWorld(slow)
    polled = []

    async def story():
        while len(polled) < len(ALL):
            before = set(cold.store.snapshots)
            await cold.run(dies_after_s=40)
            polled.extend(set(cold.store.snapshots) - before)

    cold.play(story)
    assert sorted(polled) == sorted(ALL)
    assert set(cold.store.snapshots.values()) == {1}


@pytest.mark.parametrize("kind", ["poison", "hanging"])
def test_a_wallet_that_fails_is_counted_and_the_others_are_polled(kind):
    bad = frozenset(ALL[::5])
    cold = ColdWorld(FakeAccounts(**{kind: bad}), wallet_timeout_s=20)

    async def story():
        figures = await cold.run()
        assert (figures["polled"], figures["failed"]) == (len(ALL) - len(bad), len(bad))
        # They have lost their turn: none of them is due again at once.
        assert (await cold.run())["failed"] == 0

    cold.play(story)
    assert {one for one, _ in cold.store.failures} == bad


def test_a_venue_that_is_down_ends_the_run_and_the_others_keep_their_place():
    cold = ColdWorld()

    async def story():
        cold.accounts.limited = True
        with pytest.raises(BaseExceptionGroup) as caught:
            await cold.run()
        assert caught.group_contains(TransientError)
        cold.accounts.limited = False
        assert (await cold.run())["polled"] >= len(ALL) - DOWN_AFTER - 2

    cold.play(story)
    assert len(cold.store.failures) <= DOWN_AFTER + 2


def test_a_run_ends_by_itself_before_its_time_out_and_the_next_goes_on():
    cold = ColdWorld(FakeAccounts(script=["slow"] * 1_000), run_max_s=30)

    async def story():
        first = await cold.run()
        assert first["left"]
        assert 0 < first["polled"] < len(ALL)
        cold.accounts.script.clear()
        second = await cold.run()
        assert first["polled"] + second["polled"] == len(ALL)
        assert not second["left"]

    cold.play(story)


def test_trades_go_through_the_ingest_and_every_page_of_them():
    cold = ColdWorld(FakeAccounts(page_rows=3))

    async def story():
        for second in range(100):
            cold.accounts.did(ALL[0], Happening(NOON_S - second, "BUY", "1", 1, second + 1))
        assert (await cold.run())["trades"] >= 100

    cold.play(story)


def test_nothing_is_done_where_nobody_ingests_or_it_is_switched_off():
    cold, off = ColdWorld(), ColdWorld(enabled=False)
    cold.ingests = False

    async def refused():
        with pytest.raises(TransientError):
            await cold.run()

    async def nothing():
        assert (await off.run())["polled"] == 0

    cold.play(refused)
    off.play(nothing)
    assert cold.accounts.calls == off.accounts.calls == {}


def test_a_run_whose_lease_is_gone_ends_at_once():
    cold = ColdWorld()
    cold.store.fenced = FencedError("the lease job:cold-poll is not ours any more")

    async def story():
        with pytest.raises(BaseExceptionGroup) as caught:
            await cold.run()
        assert caught.group_contains(FencedError)

    cold.play(story)
    assert cold.accounts.calls["positions"] <= 2


def test_a_wallet_that_the_sets_lack_yet_is_polled_once_without_trades():
    cold = ColdWorld()
    cold.accounts.did(ALL[0], Happening(NOON_S - 3_600, "BUY", "1", 10, number=1))
    del cold.world.lanes[ALL[0]]

    async def story():
        assert (await cold.run())["polled"] == len(ALL)

    cold.play(story)
    assert cold.store.current(ALL[0]) == {"1": 10}
    assert cold.accounts.calls["activity"] == len(ALL) - 1


def test_who_did_more_than_can_be_read_in_time_is_read_on_by_the_next_run():
    cold = ColdWorld(FakeAccounts(page_rows=1, script=["slow"] * 1_000), wallet_timeout_s=40)
    cold.kept_poll, cold.store.traders = cold.world.new_poll(), [ALL[0]]
    for number in range(35):
        cold.accounts.did(ALL[0], Happening(NOON_S - 36_000 + number, "BUY", "1", 10, number=number + 1))

    async def story():
        for _ in range(3):
            assert (await cold.run())["failed"] == 1
            await trio.sleep(FRESH_S + 60)
        assert (await cold.run())["polled"] == 1

    cold.play(story)
