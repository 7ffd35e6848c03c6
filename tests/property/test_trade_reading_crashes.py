"""Trades of a wallet over any paging, late rows, failures and restarts that lose what was not committed yet."""

from collections import Counter

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK
from property.fake_accounts import FakeAccounts, Happening, trade_row
from property.fake_history import FakeHistory, Past
from property.made_trades import NOON_S, transaction
from property.poll_world import PollWorld, W
from property.supervised import run_jumping

from actors.polling import trade_reading
from actors.polling.venue_asking import VenueFailure
from actors.rules.admission import Memory, admit
from actors.rules.recent_set import RecentSet
from actors.rules.watermarks import OVERLAP_S, SETTLE_S
from protocols.polling import TradeList
from protocols.trades import Lane, RawTrade

LANES = {W: Lane.FOLLOWED}
SECOND = st.integers(0, 2_000)
SIZES = st.integers(1, 2)
TOKEN = "123456789"


@st.composite
def transactions(draw):
    """(second, number, sizes): fills of one transaction, equal ones among them."""
    count = draw(st.integers(0, 10))
    return [
        (
            draw(st.sampled_from([100, 100, 101, 700]) | SECOND),
            number + 1,
            draw(st.lists(SIZES, min_size=1, max_size=5)),
        )
        for number in range(count)
    ]


@attrs.define(eq=False)
class Ingest:
    """Commits what it was given some seconds ago; a kill loses the rest."""

    world: PollWorld
    commits_s: float
    waiting: list[tuple[float, RawTrade]] = attrs.field(factory=list)
    committed: list[RawTrade] = attrs.field(factory=list)

    async def take(self) -> None:
        if self.world.raw.statistics().depth:
            self.waiting += [(trio.current_time(), raw) for raw in await self.world.raw.inbox.batch(10_000)]

    def commit(self, *, killed: bool) -> None:
        now_s = trio.current_time()
        self.committed += [raw for at_s, raw in self.waiting if not killed or now_s - at_s >= self.commits_s]
        self.waiting = []

    def stored(self) -> set[str]:
        """Ids of what was committed; equal fills are counted within their response."""
        scopes = {raw.scope: [] for raw in self.committed}
        for raw in self.committed:
            scopes[raw.scope].append(raw)
        return set().union(*map(ids_of, scopes.values()))


def ids_of(rows: list[RawTrade]) -> set[str]:
    admission = admit(rows, LANES, Memory(RecentSet(10_000)))
    assert not admission.malformed
    return {laned.trade.trade_id for laned in admission.kept}


def expected(made) -> set[str]:
    """The independent count: every fill of the venue, numbered within its transaction."""
    accounts = FakeAccounts()
    for second, number, sizes in made:
        for size in sizes:
            accounts.did(W, Happening(NOON_S + second, "BUY", TOKEN, size, number))
    rows = [trade_row(W, one).row for one in accounts.happenings.get(W, ())]
    return ids_of([RawTrade(row=row, scope="all", text=b'{"payload":{}}', seen_s=0.0) for row in rows])


def fill_venue(world, made, only):
    for second, number, sizes in made:
        for size in sizes:
            if only in (None, TradeList.ACTIVITY):
                world.accounts.did(W, Happening(NOON_S + second, "BUY", TOKEN, size, number))
            if only in (None, TradeList.TRADES):
                world.history.rows.append(Past(NOON_S + second, (transaction(number), W, size)))


async def read(poll, world):
    try:
        polled = await world.store.polled(W)
        return await poll.reading.read_next(W, polled.watermarks, world.outlets)
    except VenueFailure:
        return None


@pytest.fixture(autouse=True)
def _short_turns(monkeypatch):
    monkeypatch.setattr(trade_reading, "PAGES_PER_TURN", 2)


@QUICK
@given(
    made=transactions(),
    page_rows=st.integers(1, 6),
    script=st.lists(st.sampled_from(["ok", "transient", "rejected"]), max_size=12),
    kills=st.lists(st.tuples(st.integers(0, 120), st.booleans()), max_size=8),
    only=st.sampled_from([None, TradeList.ACTIVITY, TradeList.TRADES]),
    commits_s=st.sampled_from([0.0, 5.0, SETTLE_S - 1]),
)
def test_every_trade_is_handed_over_however_pages_fail_and_engines_die(made, page_rows, script, kills, only, commits_s):
    async def main():
        world = PollWorld(
            accounts=FakeAccounts(page_rows=page_rows, script=script),
            history=FakeHistory(page_rows=page_rows, script=[one for one in script if one != "rejected"]),
        )
        fill_venue(world, made, only)
        ingest, poll = Ingest(world, commits_s), world.new_poll()
        async with trio.open_nursery() as nursery:
            await world.open(nursery)
            # The trades happened before; the wallet was never read.
            await trio.sleep(2_100)
            for pause_s, is_kill in kills:
                await read(poll, world)
                await ingest.take()
                await trio.sleep(pause_s)
                await poll.keep_watermarks(world.store)
                if is_kill:
                    ingest.commit(killed=True)
                    poll = world.new_poll()
            ended = Counter()
            while min(ended[one] for one in TradeList) < 2:
                ended[await read(poll, world)] += 1
                assert ended.total() < 400
                await ingest.take()
            await trio.sleep(SETTLE_S)
            await poll.keep_watermarks(world.store)
            ingest.commit(killed=False)
            nursery.cancel_scope.cancel()
        assert ingest.stored() == expected(made)
        newest = max((second for second, *_ in made), default=0)
        assert all(second <= NOON_S + newest for second in world.store.watermarks.values())

    run_jumping(main)


@QUICK
@given(
    seconds=st.lists(st.integers(0, 2_000), min_size=2, max_size=8, unique=True),
    kills=st.lists(st.integers(0, 100), min_size=1, max_size=5),
    only=st.sampled_from(TradeList),
)
def test_what_was_handed_over_and_not_committed_when_the_engine_was_killed_is_read_again(seconds, kills, only):
    made = [(second, number + 1, [1]) for number, second in enumerate(seconds)]

    async def main():
        world = PollWorld()
        fill_venue(world, made, only)
        # The writer is slow: what is younger than this is lost by a kill.
        ingest = Ingest(world, SETTLE_S - 1)
        async with trio.open_nursery() as nursery:
            await world.open(nursery)
            await trio.sleep(2_100)
            for pause_s in [*kills, SETTLE_S]:
                poll = world.new_poll()
                for _ in range(2):
                    await read(poll, world)
                await ingest.take()
                await trio.sleep(pause_s)
                await poll.keep_watermarks(world.store)
                ingest.commit(killed=True)
            nursery.cancel_scope.cancel()
        assert ingest.stored() == expected(made)

    run_jumping(main)


@QUICK
@given(seconds=st.lists(st.integers(0, OVERLAP_S), min_size=1, max_size=6))
def test_trades_of_the_second_of_the_watermark_that_appear_later_are_read(seconds):
    """Each appears after a reading that has moved the watermark to its own second, or past it."""

    async def main():
        world = PollWorld()
        poll = world.new_poll()
        newest = NOON_S + 3_000
        async with trio.open_nursery() as nursery:
            await world.open(nursery)
            await trio.sleep(3_001)
            world.accounts.did(W, Happening(newest, "BUY", TOKEN, 1, 1))
            for number, before in enumerate([0, *seconds], 2):
                for _ in range(2):
                    await read(poll, world)
                await trio.sleep(SETTLE_S)
                await poll.keep_watermarks(world.store)
                poll = world.new_poll()
                assert world.store.watermarks[W, TradeList.ACTIVITY] == newest
                world.accounts.did(W, Happening(newest - before, "BUY", TOKEN, 1, number))
            for _ in range(2):
                await read(poll, world)
            nursery.cancel_scope.cancel()
        hashes = {raw.row.transaction_hash for raw in await world.raw.inbox.batch(10_000)}
        assert hashes == {transaction(number) for number in range(1, len(seconds) + 3)}

    run_jumping(main)


def test_a_wallet_with_much_to_read_leaves_its_turn_to_others():
    async def main():
        world = PollWorld(accounts=FakeAccounts(page_rows=2))
        poll = world.new_poll()
        for second in range(100):
            world.accounts.did(W, Happening(NOON_S - second, "BUY", TOKEN, 1, second + 1))
        async with trio.open_nursery() as nursery:
            await world.open(nursery)
            turns = []
            for _ in range(60):
                before = world.accounts.calls["activity"]
                ended = await poll.reading.read_next(W, {}, world.outlets)
                turns.append(world.accounts.calls["activity"] - before)
                if ended is not None:
                    break
                # Nothing counts as read before all of it is.
                assert poll.reading.settled() == []
            nursery.cancel_scope.cancel()
        assert max(turns) == 2
        assert ended is TradeList.ACTIVITY
        hashes = {raw.row.transaction_hash for raw in await world.raw.inbox.batch(10_000)}
        assert len(hashes) == 100

    run_jumping(main)
