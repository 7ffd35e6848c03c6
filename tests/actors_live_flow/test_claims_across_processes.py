"""Deciding here, trading there: what each is told of the other, and that a sleeper who wakes sends nothing."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import attrs
import trio
from actors_live_flow.reconciled_world import World
from actors_live_flow.test_order_sender import Desk, journaled, sending
from property.supervised import run_jumping

from actors.live.claim_watch import LOOK_S, ClaimWatch
from actors.live.mirror_view import READ_S, MirrorView
from engine.adapters.postgres.leases import LeaseHold, Leases
from engine.lease_keeping import HeldLeases, safe_until_s
from protocols.clock import Random
from protocols.errors import FencedError, TransientError
from protocols.live.elsewhere import HeldCopy
from protocols.live.orders import OrderOrigin, Side
from protocols.receipts import Receipt

COPY = HeldCopy("0xleader", "0xc", "77", "A")


@attrs.define(eq=False)
class Rows:
    """What the database says, as far as it answers."""

    copies: list[HeldCopy] = attrs.field(factory=list)
    ids: list[str] = attrs.field(factory=list)
    failing: bool = False
    rings: int = 0
    reads: int = 0
    answer_s: float = 0.0

    async def held(self) -> Sequence[HeldCopy]:
        found = self.copies.copy()
        await self._answer()
        return found

    async def ring(self) -> None:
        await self._answer()
        self.rings += 1

    async def waiting(self) -> Sequence[str]:
        await self._answer()
        return self.ids

    async def _answer(self) -> None:
        self.reads += 1
        await trio.sleep(self.answer_s)
        if self.failing:
            raise TransientError("away")


def view_of(rows: Rows) -> MirrorView:
    registry: Any = SimpleNamespace(mirrored=lambda strategy_id: {"LT_A": "A"}.get(strategy_id))
    return MirrorView(registry=registry, store=rows, rng=Random(1))


def receipt(strategy_id: str = "LT_A", **changes: Any) -> Receipt:
    claim: Any = SimpleNamespace(
        strategy_id=strategy_id, trader=COPY.trader, condition_id=COPY.condition_id, token_id=COPY.token_id
    )
    return Receipt(key=("trade", "now"), applied=True, claims=(claim,), **changes)


def test_a_claim_counts_as_held_until_a_reading_that_began_after_it() -> None:
    rows = Rows(answer_s=0.5)
    view = view_of(rows)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(view.run)
            await view.wait_loaded()
            assert view.holders(COPY.trader, COPY.token_id) == set()
            # The next reading has looked already, and has not answered yet.
            await trio.sleep(READ_S + 0.25)
            view.committed([receipt()])
            for _ in range(2):
                assert view.holders(COPY.trader, COPY.token_id) == {"A"}
                assert view.pairs() == {(COPY.trader, COPY.condition_id, COPY.token_id)}
                await trio.sleep(0.5)
            # It was declined before the one after it looked.
            await trio.sleep(READ_S + 1)
            assert view.holders(COPY.trader, COPY.token_id) == set()
            rows.copies = [COPY]
            await trio.sleep(READ_S + 1)
            assert view.holders(COPY.trader, COPY.token_id) == {"A"}
            assert view.holders(COPY.trader, "another") == set()
            nursery.cancel_scope.cancel()

    run_jumping(main)


def test_who_trades_is_told_of_claims_and_of_nothing_else() -> None:
    rows = Rows()
    view = view_of(rows)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(view.run)
            told = []
            for receipts in (
                [Receipt(key=("a", "now"), applied=True)],
                [receipt(), receipt()],
                [Receipt(key=("a", "now"), applied=True, exits=("e",))],
                [Receipt(key=("a", "now"), applied=False)],
                [receipt("LT_GONE")],
            ):
                view.committed(receipts)
                await trio.sleep(0.1)
                told.append(rows.rings)
            assert told == [0, 1, 2, 3, 4]
            rows.failing = True
            view.committed([receipt()])
            await trio.sleep(READ_S * 5)
            assert view.failures > 1
            nursery.cancel_scope.cancel()

    run_jumping(main)


def test_what_others_commit_is_found_once_and_soon() -> None:
    rows, found = Rows(), list[float]()
    watch = ClaimWatch(store=rows, found=lambda: found.append(trio.current_time()), rng=Random(1))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(watch.run)
            await trio.sleep(1)
            assert not found
            rows.ids = ["one"]
            began_s = trio.current_time()
            await trio.sleep(1)
            assert len(found) == 1
            assert found[0] - began_s <= LOOK_S
            rows.ids = ["one", "two"]
            watch.ring()
            await trio.sleep(0.001)
            assert len(found) == 2
            rows.ids, rows.failing = [], True
            await trio.sleep(5)
            rows.failing = False
            await trio.sleep(5)
            assert (len(found), watch.failures > 0) == (2, True)
            rows.ids = ["two"]
            await trio.sleep(1)
            assert len(found) == 3
            nursery.cancel_scope.cancel()

    run_jumping(main)


def test_who_wakes_after_his_lease_sends_nothing_until_he_knows() -> None:
    world = World(venue_type=Desk)
    sender = sending(world)
    safe = False
    sender.is_safe = lambda: safe

    async def main() -> None:
        nonlocal safe
        world.load()
        await trio.sleep(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sender.send, journaled(world, side=Side.SELL, origin=OrderOrigin.EXIT))
            await trio.sleep(30)
            assert not world.venue.posts
            safe = True
            await trio.sleep(1)
            assert len(world.venue.posts) == 1

    run_jumping(main)


@attrs.define(eq=False)
class Office:
    """A lease office whose database is away, slow, or has given the lease to somebody else."""

    ttl_s: float = 15.0
    error: Exception | None = None
    answer_s: float = 0.0

    async def extend(self, hold: LeaseHold) -> None:
        await trio.sleep(self.answer_s)
        if self.error is not None:
            raise self.error


def test_a_lease_is_safe_from_when_it_was_asked_for_and_ends_early() -> None:
    office: Any = Office()

    async def main() -> None:
        leases = Leases((LeaseHold(name="live:a", owner="me", epoch=1),))
        held = HeldLeases(office=office, leases=leases, safe_until_s=safe_until_s(trio.current_time(), office))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(held.keep)
            await trio.sleep(60)
            assert held.is_safe()
            office.error = TransientError("away")
            await trio.sleep(12.1)
            assert not held.is_safe()
            office.error, office.answer_s = None, 4.0
            # Asked for at some moment of the next five seconds, answered four seconds later: what it is worth ends sooner.
            await trio.sleep(9.5)
            assert held.is_safe()
            nursery.cancel_scope.cancel()
        office.error = FencedError("another engine")
        try:
            await held.keep()
        except FencedError:
            return
        raise AssertionError("it was taken over")

    run_jumping(main)


def test_what_was_waited_for_so_long_that_it_is_not_safe_any_more_is_safe_at_once_again() -> None:
    office: Any = Office()

    async def main() -> None:
        leases = Leases((LeaseHold(name="live:a", owner="me", epoch=1), LeaseHold(name="live:b", owner="me", epoch=1)))
        asked_s = trio.current_time()
        await trio.sleep(2 * office.ttl_s)
        held = HeldLeases(office=office, leases=leases, safe_until_s=safe_until_s(asked_s, office))
        assert not held.is_safe()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(held.keep)
            await trio.sleep(0.1)
            assert held.is_safe()
            nursery.cancel_scope.cancel()

    run_jumping(main)
