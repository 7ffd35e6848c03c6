"""Leases divided between processes that come, go, die and fall asleep: never two safe holders, nothing left alone for long."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from property.supervised import run_jumping

from engine.adapters.postgres.leases import LeaseHold, LeaseRefused
from engine.lease_keeping import HeldLeases
from engine.lease_sharing import SharedLeases
from protocols.errors import FencedError, TransientError

TTL_S = 15.0
DRAIN_S = 1.0
NAMES = tuple(f"live:{number}" for number in range(5))


@attrs.define
class Row:
    owner: str = ""
    epoch: int = 0
    expires_s: float = -math.inf


@attrs.define(eq=False)
class Table:
    """engine_leases, by the database's clock."""

    rows: dict[str, Row] = attrs.field(factory=lambda: {name: Row() for name in NAMES})


@attrs.define(eq=False)
class Office:
    """A process's office; it can be cut off from the database, and put to sleep."""

    table: Table
    owner: str
    ttl_s: float = TTL_S
    cut_off: bool = False
    asleep: trio.Event | None = None

    async def acquire(self, name: str) -> LeaseHold | LeaseRefused:
        row = await self._row(name)
        now_s = trio.current_time()
        if row.owner != self.owner and row.expires_s > now_s:
            return LeaseRefused(name=name, holder=row.owner, left_s=row.expires_s - now_s)
        row.epoch += 1
        row.owner, row.expires_s = self.owner, now_s + self.ttl_s
        return LeaseHold(name=name, owner=self.owner, epoch=row.epoch)

    async def extend(self, hold: LeaseHold) -> None:
        row = await self._row(hold.name)
        if (row.owner, row.epoch) != (self.owner, hold.epoch):
            raise FencedError("taken over")
        row.expires_s = trio.current_time() + self.ttl_s

    async def free(self, names: Sequence[str]) -> list[str]:
        await self._row(NAMES[0])
        rows, now_s = self.table.rows, trio.current_time()
        return [name for name in names if rows[name].owner == self.owner or rows[name].expires_s <= now_s]

    async def release(self, hold: LeaseHold) -> None:
        row = await self._row(hold.name)
        if (row.owner, row.epoch) == (self.owner, hold.epoch):
            row.expires_s = trio.current_time()

    def sleep(self) -> None:
        if self.asleep is None:
            self.asleep = trio.Event()

    async def _row(self, name: str) -> Row:
        await trio.sleep(0.01)
        if self.asleep is not None:
            await self.asleep.wait()
        if self.cut_off:
            raise TransientError("no way to the database")
        return self.table.rows[name]


@attrs.define(eq=False)
class Process:
    """Works under what it holds until it has to stop."""

    office: Office
    world: "World"
    stop: trio.Event = attrs.field(factory=trio.Event)
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    working: HeldLeases | None = None
    shared: SharedLeases = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        office: Any = self.office
        self.shared = SharedLeases(office=office, names=NAMES, share=self.world.share)

    async def run(self) -> None:
        with self.scope:
            await self.shared.run(self.stop, self._work)

    async def _work(self, held: HeldLeases, over: trio.Event) -> None:
        self.working = held
        try:
            await over.wait()
            await trio.sleep(DRAIN_S)
        finally:
            self.working = None

    def safe(self) -> list[str]:
        """What it would do something with now that no database can refuse."""
        asleep = self.office.asleep is not None
        return self.working.names if self.working is not None and self.working.is_safe() and not asleep else []


@attrs.define(eq=False)
class World:
    table: Table = attrs.field(factory=Table)
    knows: Callable[["Process"], bool] = lambda one: not one.scope.cancel_called
    """Whom the others believe to be there."""
    processes: list[Process] = attrs.field(factory=list)
    most: int = 0

    def share(self, names: int) -> int:
        alive = sum(self.knows(one) and not one.stop.is_set() for one in self.processes)
        return math.ceil(names / max(1, alive))

    def start(self, nursery: trio.Nursery) -> None:
        self.most += 1
        process = Process(Office(self.table, f"process {self.most}"), self)
        self.processes.append(process)
        nursery.start_soon(process.run)

    def check(self) -> None:
        holders = Counter(name for process in self.processes for name in process.safe())
        assert not [name for name, count in holders.items() if count > 1], holders


def _on_one(name: str) -> Callable[[World, int], None]:
    def act(world: World, number: int) -> None:
        if world.processes:
            one = world.processes[number % len(world.processes)]
            {
                "stop": one.stop.set,
                "kill": one.scope.cancel,
                "cut": lambda: setattr(one.office, "cut_off", True),
                "join": lambda: setattr(one.office, "cut_off", False),
                "sleep": one.office.sleep,
            }[name]()

    return act


def _wake(world: World, number: int) -> None:
    for one in world.processes:
        if one.office.asleep is not None:
            one.office.asleep.set()
            one.office.asleep = None


ACTS: dict[str, Callable[[World, int], None]] = {
    **{name: _on_one(name) for name in ("stop", "kill", "cut", "join", "sleep")},
    "wake": _wake,
}
steps = st.tuples(st.sampled_from(["start", "start", *ACTS]), st.integers(0, 9), st.floats(0.1, 40))


@settings(max_examples=60, deadline=None)
@given(story=st.lists(steps, max_size=14))
def test_never_two_safe_holders_and_nothing_alone_for_long(story: list[tuple[str, int, float]]) -> None:
    async def main() -> None:
        world = World()
        async with trio.open_nursery() as nursery:
            for name, number, pause_s in story:
                if name == "start":
                    world.start(nursery)
                else:
                    ACTS[name](world, number)
                await _watch(world, pause_s)
            # Whoever is left is healed; then everything is somebody's, as evenly as it can be.
            for one in world.processes:
                one.office.cut_off = False
            _wake(world, 0)
            world.start(nursery)
            await _watch(world, 4 * TTL_S)
            alive = [one for one in world.processes if not one.scope.cancel_called and not one.stop.is_set()]
            counts = [len(one.safe()) for one in alive]
            assert sum(counts) == len(NAMES), counts
            assert max(counts) <= world.share(len(NAMES)), counts
            nursery.cancel_scope.cancel()

    run_jumping(main)


def test_what_a_dead_process_held_is_somebodys_within_its_time_and_two_seconds() -> None:
    async def main() -> None:
        world = World()
        async with trio.open_nursery() as nursery:
            world.start(nursery)
            await trio.sleep(1)
            world.start(nursery)
            await trio.sleep(3 * TTL_S)
            first, second = world.processes
            assert {len(first.safe()), len(second.safe())} == {2, 3}
            died_s = trio.current_time()
            # Without a word: what it held stays in the table.
            first.shared.held = None
            first.office.cut_off = True
            first.scope.cancel()
            while len(second.safe()) < len(NAMES):
                await trio.sleep(0.1)
                assert trio.current_time() - died_s <= TTL_S + 2
            nursery.cancel_scope.cancel()

    run_jumping(main)


def test_that_a_process_is_dead_and_still_counted_keeps_nobody_from_what_it_held() -> None:
    async def main() -> None:
        # It is counted for ever.
        world = World(knows=lambda _one: True)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                world.start(nursery)
                await trio.sleep(1)
            await trio.sleep(3 * TTL_S)
            assert sum(len(one.safe()) for one in world.processes) == len(NAMES)
            last, *left = sorted(world.processes, key=lambda one: -len(one.safe()))
            died_s = trio.current_time()
            last.shared.held = None
            last.office.cut_off = True
            last.scope.cancel()
            while sum(len(one.safe()) for one in left) < len(NAMES):
                await trio.sleep(0.1)
                assert trio.current_time() - died_s <= TTL_S + 2
            nursery.cancel_scope.cancel()

    run_jumping(main)


async def _watch(world: World, seconds: float) -> None:
    for _ in range(round(seconds / 0.25)):
        await trio.sleep(0.25)
        world.check()
