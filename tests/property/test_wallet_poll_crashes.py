"""Positions over any history of holdings, failing pages, two pollers at once, and restarts."""

import attrs
import trio
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK
from property.fake_accounts import FakeAccounts, Happening, condition_of
from property.fake_poll_store import FakePollStore
from property.made_trades import NOON_S
from property.poll_world import PollWorld, W
from property.supervised import CrashError, run_jumping

from actors.polling.venue_asking import VenueFailure
from protocols.errors import TransientError
from protocols.positions import CloseReason, MarketEnd, PositionChange

TOKENS = "12345"
OUTCOMES = ["ok", "ok", "transient", "rejected", "malformed", "skip", "slow"]
DOINGS = st.tuples(
    st.sampled_from(["BUY", "BUY", "SELL", "SELL ALL", "REDEEM"]), st.sampled_from(TOKENS), st.integers(1, 9)
)
POLLS = st.tuples(
    st.lists(st.sampled_from(OUTCOMES), max_size=6),
    st.lists(st.sampled_from(["ok", "transient", "ack lost", "crash"]), max_size=2),
    st.integers(1, 2),
)
# Known and open: nothing but the account itself tells why a position is absent.
MARKETS = {condition_of(token): MarketEnd.OPEN for token in TOKENS}
STEPS = st.lists(st.one_of(DOINGS, POLLS), max_size=25)


@attrs.define(eq=False)
class Truth:
    """The independent account of what the venue did, and what may be said about it."""

    accounts: FakeAccounts
    endings: dict[str, list[CloseReason]] = attrs.field(factory=dict)
    """By token, in order."""

    def do(self, kind: str, token: str, micro: int) -> None:
        before = self.accounts.holding(W)
        if kind == "SELL ALL":
            kind, micro = "SELL", before.get(token, 0)
        if kind == "SELL":
            micro = min(micro, before.get(token, 0))
        if (kind == "SELL" and not micro) or (kind == "REDEEM" and token not in before):
            return
        second = NOON_S + round(trio.current_time())
        self.accounts.did(W, Happening(second, kind, token, micro, number=second - NOON_S))
        after = self.accounts.holding(W)
        for gone in before.keys() - after.keys():
            reason = CloseReason.REDEEMED if kind == "REDEEM" else CloseReason.MANUAL_CLOSE
            self.endings.setdefault(gone, []).append(reason)


async def play(steps, page_rows):
    world = PollWorld(accounts=FakeAccounts(page_rows=page_rows), store=FakePollStore(markets=MARKETS))
    truth = Truth(world.accounts)
    poll = world.new_poll()

    async def once(poller):
        try:
            await poller.poll(W, world.store, world.outlets, with_trades=False)
        except (VenueFailure, TransientError, CrashError):
            return

    async with trio.open_nursery() as nursery:
        await world.open(nursery)
        for step in steps:
            # Longer than the venue's lag: what happened before a snapshot is no evidence for what it lacks.
            await trio.sleep(60)
            if isinstance(step[0], str):
                truth.do(*step)
                continue
            answers, bookings, pollers = step
            world.accounts.script.extend(answers)
            world.store.script.extend(bookings)
            held, closed = world.accounts.holding(W), len(world.store.closed)
            async with trio.open_nursery() as polls:
                for _ in range(pollers):
                    polls.start_soon(once, poll if pollers == 1 else world.new_poll())
            for _, token, *_ in world.store.closed[closed:]:
                assert token not in held
            if "crash" in bookings:
                poll = world.new_poll()
            world.accounts.script.clear()
            world.store.script.clear()
        for _ in range(3):
            await trio.sleep(60)
            await once(poll)
        nursery.cancel_scope.cancel()
    return world, truth


def check(world, truth):
    # What is stored is what an independent count says.
    assert world.store.current(W) == world.accounts.holding(W)
    episodes = [episode for _, _, episode, _, _ in world.store.closed]
    assert len(episodes) == len(set(episodes))
    assert world.store.opened - len(episodes) == len(world.accounts.holding(W))
    for token in TOKENS:
        reasons = [reason for _, one, _, reason, _ in world.store.closed if one == token]
        # Short episodes between two polls are not seen; those that are seen end as the venue's did.
        assert len(reasons) <= len(truth.endings.get(token, []))
        if reasons and len(set(truth.endings[token])) == 1:
            assert set(reasons) == set(truth.endings[token])


@QUICK
@given(steps=STEPS, page_rows=st.integers(1, 4))
def test_positions_equal_an_independent_count_and_are_closed_exactly_once(steps, page_rows):
    async def main():
        check(*await play(steps, page_rows))

    run_jumping(main)


@QUICK
@given(steps=st.lists(DOINGS, min_size=1, max_size=12))
def test_the_events_of_a_position_are_a_chain_from_nothing_to_what_is_held(steps):
    mixed = [one for step in steps for one in (step, ([], [], 1))]

    async def main():
        world, _ = await play(mixed, 100)
        last = dict.fromkeys(TOKENS, 0)
        for event in await world.events.inbox.batch(10_000) if world.store.opened else []:
            assert event.before_micro == last[event.token_id] != event.after_micro
            assert (event.change is PositionChange.CLOSED) == (event.after_micro == 0)
            assert event.condition_id == condition_of(event.token_id)
            last[event.token_id] = event.after_micro
        assert {token: micro for token, micro in last.items() if micro} == world.accounts.holding(W)

    run_jumping(main)


@QUICK
@given(polls=st.lists(st.integers(1, 100), max_size=30), outcome=st.sampled_from(["ill", "limited"]))
def test_a_venue_that_answers_nothing_closes_nothing(polls, outcome):
    """Every list is empty, or every answer 429, for less than ten minutes; then it is well again."""

    async def main():
        world = PollWorld(store=FakePollStore(markets=MARKETS))
        for token in TOKENS:
            world.accounts.did(W, Happening(NOON_S - 5_000, "BUY", token, 7))
        poll = world.new_poll()
        async with trio.open_nursery() as nursery:
            await world.open(nursery)
            await poll.poll(W, world.store, world.outlets, with_trades=True)
            setattr(world.accounts, outcome, True)
            began_s = trio.current_time()
            for pause_s in polls:
                if trio.current_time() + pause_s >= began_s + 600:
                    break
                await trio.sleep(pause_s)
                try:
                    await poll.poll(W, world.store, world.outlets, with_trades=True)
                except VenueFailure:
                    assert outcome == "limited"
            assert world.store.closed == []
            setattr(world.accounts, outcome, False)
            await poll.poll(W, world.store, world.outlets, with_trades=True)
            nursery.cancel_scope.cancel()
        assert world.store.current(W) == dict.fromkeys(TOKENS, 7)
        assert all(row.position.missing_since_ms is None for row in world.store.rows[W].values())
        assert len(await world.events.inbox.batch(1_000)) == len(TOKENS)

    run_jumping(main)
