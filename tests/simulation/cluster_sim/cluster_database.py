"""The database of a cluster: one state, its own clock, leases with epochs, and what happens on the way to it.

A question travels by itself: who asked may be dead, asleep or impatient by the time it arrives, and it is answered all the
same. A failover breaks every connection; what was committed is kept, since the standby is synchronous.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs
import trio
from property.memory_members import MemoryMembers
from simulation.live_sim.sim_store import Database, at_once

from engine.adapters.postgres.database import DatabaseOptions
from engine.adapters.postgres.leases import Leases, lease_options
from protocols.errors import TransientError


@attrs.define
class LeaseRow:
    """A row of engine_leases."""

    owner: str = ""
    epoch: int = 0
    expires_s: float = float("-inf")


@attrs.define(eq=False)
class Way:
    """What lies between a process and the database."""

    is_cut: bool = False
    is_dead: bool = False
    """Nobody asks here any more."""
    joined: trio.Event = attrs.field(factory=trio.Event)

    def cut(self) -> None:
        if not self.is_cut:
            self.is_cut, self.joined = True, trio.Event()

    def join(self) -> None:
        self.is_cut = False
        self.joined.set()


@attrs.define(kw_only=True, eq=False)
class ClusterDatabase(Database):
    """Leases and the life of connections, beside the stores."""

    statement_timeout_s: float
    checks_fence: bool = True
    """As the SQL does. Without it: the build that has to fail."""
    tells_of_takeovers: bool = True
    wrote: Callable[[str, Leases], None] = lambda _name, _leases: None
    """Told who has written under which leases, after the fence."""
    wrote_before: Callable[[str, str], None] = lambda _name, _owner: None
    """Told what a process has written, before it hears of that itself."""
    nursery: trio.Nursery = attrs.field(init=False)
    leases: dict[str, LeaseRow] = attrs.field(init=False, factory=dict)
    members: MemoryMembers = attrs.field(init=False, factory=MemoryMembers)
    life: int = attrs.field(init=False, default=0)
    skew_s: float = attrs.field(init=False, default=0.0)
    """Of the clock of the server that is the primary now."""
    lost_answers: int = attrs.field(init=False, default=0)
    fenced_off: int = attrs.field(init=False, default=0)
    late: int = attrs.field(init=False, default=0)
    """Questions that arrived after their connection had been cut."""
    failovers: int = attrs.field(init=False, default=0)

    def now_s(self) -> float:
        return trio.current_time() + self.skew_s

    def line(self, way: Way) -> "Line":
        return Line(self, way, self.statement_timeout_s)

    def lease_line(self, way: Way, ttl_s: float) -> "Line":
        options = DatabaseOptions(dsn="model", statement_timeout_s=self.statement_timeout_s)
        return Line(self, way, lease_options(options, ttl_s).statement_timeout_s)

    def break_all(self) -> None:
        """Every connection is lost, with what is on its way there and back."""
        self.life += 1

    def is_ours(self, leases: Leases) -> bool:
        """HELD, the fence of every write: owner and epoch, not the time."""
        rows = [(self.leases.get(hold.name), hold) for hold in leases.holds]
        return all(row is not None and (row.owner, row.epoch) == (hold.owner, hold.epoch) for row, hold in rows)

    def holder(self, name: str) -> str | None:
        """Returns who holds a lease by the database's clock."""
        row = self.leases.get(name)
        return row.owner if row is not None and row.expires_s > self.now_s() else None


@attrs.define(eq=False)
class _Question:
    name: str
    work: Callable[[], Awaitable[Any]]
    fence: Leases | None
    answered: trio.Event = attrs.field(factory=trio.Event)
    result: Any = None
    error: Exception | None = None

    def land(self, result: Any, error: Exception | None = None) -> None:
        self.result, self.error = result, error
        self.answered.set()


@attrs.define(eq=False)
class Line:
    """A connection: one transaction at a time."""

    database: ClusterDatabase
    way: Way
    timeout_s: float
    _lock: trio.Lock = attrs.field(init=False, factory=trio.Lock)

    async def run(self, name: str, work: Callable[[], Awaitable[Any]], fence: Leases | None = None) -> Any:
        database = self.database
        async with self._lock:
            await trio.lowlevel.checkpoint()
            if self.way.is_dead:
                raise TransientError("nobody asks")
            question = _Question(name, work, fence)
            database.nursery.start_soon(self._travel, question)
            with trio.move_on_after(self.timeout_s):
                await question.answered.wait()
                if question.error is not None:
                    raise question.error
                return question.result
            raise TransientError("no answer in time")

    async def _travel(self, question: _Question) -> None:
        database, rng, way, life = self.database, self.database.rng, self.way, self.database.life
        await trio.sleep(database.latency_s * rng.uniform(0.2, 3))
        if way.is_cut and not await self._gets_over_the_cut(question):
            return
        if database.down or database.life != life or rng.random() < database.fails_before:
            question.land(None, TransientError("the database is gone"))
            return
        result, error = self._commit(question)
        await trio.sleep(database.latency_s * rng.uniform(0, 1))
        if database.life != life or rng.random() < database.fails_after:
            database.lost_answers += 1
            database.note(f"{question.name}: the word of a commit is lost")
            question.land(None, TransientError("the connection was lost after the commit"))
        elif not way.is_cut:
            question.land(result, error)

    async def _gets_over_the_cut(self, question: _Question) -> bool:
        """A packet may be sent again and again until the way is there; or nobody hears of it."""
        rng, way = self.database.rng, self.way
        fate = rng.random()
        if fate < 0.4:
            question.land(None, TransientError("no way to the database"))
        elif fate < 0.8:
            await way.joined.wait()
            await trio.sleep(rng.uniform(0, 1))
            self.database.late += 1
            return True
        return False

    def _commit(self, question: _Question) -> tuple[Any, Exception | None]:
        database, fence = self.database, question.fence
        if fence is not None and database.checks_fence and not database.is_ours(fence):
            database.fenced_off += 1
            database.note(f"{question.name} fenced off")
            return None, fence.lost()
        try:
            result = at_once(question.work())
        except Exception as error:
            # Whoever asked has to know what to make of it.
            return None, error
        if fence is not None:
            database.wrote(question.name, fence)
            database.wrote_before(question.name, fence.holds[0].owner)
        database.committed(question.name)
        return result, None


class BehindLine:
    """A store behind a connection; those methods that write money do so under leases."""

    def __init__(self, store: Any, line: Line, leases: Leases | None = None, fenced: Sequence[str] = ()) -> None:
        self._store, self._line, self._leases, self._fenced = store, line, leases, frozenset(fenced)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        fence = self._leases if name in self._fenced else None

        async def call(*values: Any, **named: Any) -> Any:
            return await self._line.run(name, lambda: method(*values, **named), fence)

        return call
