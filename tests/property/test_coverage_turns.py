"""Who is audited when calls are few, histories fail and misses stay open: everybody in the end."""

from collections import Counter
from contextlib import suppress

import trio
from property.coverage_world import START_S, world_of
from property.fake_history import Past
from property.made_trades import transaction, wallet

from protocols.errors import TransientError
from protocols.trades import Lane

ANN, BOB = wallet(1), wallet(2)
HOUR_S = 3_600


def test_a_wallet_that_always_fails_keeps_no_other_waiting():
    many = {wallet(n): Lane.TARGET for n in range(1, 8)}
    world = world_of(many)

    async def story(world):
        world.trades.refused_wallets = frozenset([wallet(1), wallet(4)])
        await world.audit()
        for _ in range(3):
            await trio.sleep(HOUR_S)
            await world.audit()
        assert Counter(one.wallet for one in world.store.windows) == {wallet(n): 3 for n in (2, 3, 5, 6, 7)}
        assert world.store.wallets[wallet(1)].failures == 3

    world.play(story)


def test_calls_are_bounded_and_everybody_has_a_turn_targets_first():
    many = {wallet(n): Lane.TARGET if n <= 4 else Lane.FOLLOWED for n in range(1, 13)}
    world = world_of(many, calls_max=8)

    async def story(world):
        await world.audit()
        for run in range(1, 6):
            await trio.sleep(HOUR_S)
            before = len(world.trades.calls) + len(world.activity.calls)
            await world.audit()
            assert len(world.trades.calls) + len(world.activity.calls) - before <= 9
            seen = Counter(one.lane for one in world.store.windows)
            assert seen[Lane.TARGET] >= 3 * run
            assert seen[Lane.FOLLOWED] >= run
        audited = {one.wallet for one in world.store.windows}
        assert {wallet(n) for n in range(1, 5)} <= audited

    world.play(story)


def test_misses_that_nobody_records_use_up_no_more_than_their_share_of_the_calls():
    world = world_of({ANN: Lane.TARGET, BOB: Lane.TARGET}, calls_max=40)

    async def story(world):
        await world.audit()
        world.ingests = False
        world.trades.rows = [Past(START_S + 60 + n, (transaction(n), ANN, 1)) for n in range(60)]
        await trio.sleep(HOUR_S)
        await world.audit()
        windows = len(world.store.windows)
        assert (len(world.store.kept), windows) == (60, 2)
        for run in range(1, 3):
            await trio.sleep(HOUR_S)
            before = len(world.trades.calls) + len(world.activity.calls)
            await world.audit()
            assert len(world.trades.calls) + len(world.activity.calls) - before <= 10 + 2 + 4
            assert len(world.store.windows) == windows + 2 * run

    world.play(story)


def test_a_miss_that_cannot_be_read_again_keeps_no_audit_waiting():
    world = world_of({ANN: Lane.TARGET, BOB: Lane.TARGET})

    async def story(world):
        await world.audit()
        world.ingests = False
        world.trades.rows = [Past(START_S + 60, (transaction(1), ANN, 1))]
        await trio.sleep(HOUR_S)
        await world.audit()
        world.trades.refused_wallets = frozenset([ANN])
        await trio.sleep(HOUR_S)
        await world.audit()
        assert Counter(one.wallet for one in world.store.windows) == {ANN: 1, BOB: 2}

    world.play(story)


def test_wallets_that_always_fail_use_up_no_run_after_run():
    world = world_of({wallet(n): Lane.TARGET for n in range(1, 9)}, calls_max=6)

    async def story(world):
        world.trades.refused_wallets = frozenset(wallet(n) for n in range(1, 7))
        await world.audit()
        for _ in range(4):
            await trio.sleep(HOUR_S)
            with suppress(TransientError):
                await world.audit()
        assert {one.wallet for one in world.store.windows} == {wallet(7), wallet(8)}

    world.play(story)
