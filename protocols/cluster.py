"""Words and ports of several engines on one database: who is there, what each does, what each may ask of the venue."""

import enum
from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs


class Role(enum.StrEnum):
    """What an engine is started for."""

    INGEST = "ingest"
    DECIDE = "decide"
    EXECUTE = "execute"
    POLL = "poll"
    JOBS = "jobs"
    API = "api"


EVERY_ROLE = frozenset(Role)


class Api(enum.StrEnum):
    """An API of the venue whose published limits hold for all engines together (venue.md §6)."""

    DATA = "data"
    GAMMA = "gamma"
    CLOB = "clob"


Shares = Mapping[Api, int]
"""Thousandths of what each API allows; one that is absent is 0."""


@attrs.frozen(kw_only=True)
class MemberFigures:
    """How an engine fares, as it says itself."""

    queue_depth: int = 0
    """Items that wait in all of its channels."""
    queue_ratio: float = 0.0
    """How full its fullest channel is."""
    loop_lag_ms: float = 0.0
    heap_bytes: int = 0
    stream_age_s: float | None = None
    """Age of the last trade frame; None where the stream is not read."""
    stream_covered_s: float | None = None
    """For how long the stream has missed nothing; None while it may have, and where it is not read."""


@attrs.frozen(kw_only=True)
class MemberReport:
    """What an engine says of itself with each heartbeat."""

    member_id: str
    """Unique to the process; the owner of its leases."""
    holder: str
    """Who that is, for people: host and process id."""
    roles: frozenset[Role]
    working: frozenset[Role]
    """Those of its roles that it does now."""
    version: str
    address: str
    """host:port of its HTTP; empty while it is not known."""
    figures: MemberFigures = attrs.field(factory=MemberFigures)


@attrs.frozen(kw_only=True)
class Beat:
    """One heartbeat."""

    report: MemberReport
    number: int
    """Larger than that of the one before."""
    using: Shares
    """What the member goes by until it has the answer. Others count it until a later heartbeat says that it uses less."""
    ttl_s: float
    """How long it counts as alive from now on."""
    divides: bool = True
    """False: nobody else can be on this database, and the whole of each limit is this engine's."""


@attrs.frozen(kw_only=True)
class HeldLease:
    """A lease as it stands. `left_s` may be negative: it has run out and nobody took it."""

    name: str
    epoch: int
    left_s: float


@attrs.frozen(kw_only=True)
class Member:
    """An engine as the database has it. Ages are measured by the database's clock."""

    report: MemberReport
    shares: Shares
    """What it may be using."""
    up_s: float
    """Since it joined, until it was seen last."""
    seen_age_s: float
    left_s: float
    """Until it counts as lost; negative of one that is."""
    has_left: bool
    """It said good-bye."""
    leases: Sequence[HeldLease] = ()

    @property
    def is_live(self) -> bool:
        """Whether it counts."""
        return not self.has_left and self.left_s > 0


@attrs.frozen(kw_only=True)
class LeaseOnRecord:
    """A lease and who holds it or held it last, member or not."""

    name: str
    holder: str
    owner: str
    epoch: int
    left_s: float


@attrs.frozen(kw_only=True)
class HistoryOnRecord:
    """Which history of commits the database goes on with, as engines have found it."""

    timeline: int
    is_synchronous: bool
    """Commits wait for a standby: a failover loses none."""
    continuity: str
    """How it goes on after the one before: `same` for the first, `complete`, or `doubtful`."""
    reason: str | None
    """Of the doubt."""
    age_s: float
    halted: str | None
    """Why live entries are stopped, and by whom; None: they are not."""


@attrs.frozen(kw_only=True)
class ClusterReading:
    """All members and leases at one moment."""

    members: Sequence[Member]
    """Live ones first, then those that were seen last."""
    leases: Sequence[LeaseOnRecord]
    history: HistoryOnRecord | None = None
    """None: no engine has looked yet."""


@attrs.frozen(kw_only=True)
class ClusterView:
    """The live members as one of them sees them. Without members it is out: it must not rely on anybody, itself included."""

    member_id: str
    members: Sequence[Member] = ()
    lost: int = 0
    """Members that are gone without a good-bye and not forgotten yet."""
    version: int = 0
    """Another number whenever members or what they work at changed."""

    @property
    def is_in(self) -> bool:
        """Whether the viewer itself counts as a live member."""
        return any(one.report.member_id == self.member_id for one in self.members)

    def working_at(self, role: Role) -> list[str]:
        """Returns the ids of the members that do a role now, sorted."""
        return sorted(one.report.member_id for one in self.members if role in one.report.working)


class Membership(Protocol):
    """The cluster as this process sees it."""

    def view(self) -> ClusterView:
        """Returns the last view, or one without members when it is too old; never waits."""
        ...


@attrs.frozen(kw_only=True)
class BeatAnswer:
    """What a heartbeat brings."""

    granted: Shares
    members: Sequence[Member]
    """All that are not forgotten, the asker among them."""


class MemberStore(Protocol):
    """Where members are kept. All methods raise `TransientError` with the database."""

    async def beat(self, beat: Beat) -> "BeatAnswer":
        """Says that a member is alive, and settles what it may use from now on, one member at a time."""
        ...

    async def leave(self, member_id: str) -> None:
        """Takes a member out; its shares are free at once."""
        ...

    async def reading(self) -> ClusterReading:
        """Returns everything for people."""
        ...


class Allowances(Protocol):
    """What keeps calls of the venue within limits."""

    def grant(self, shares: Shares, *, until_s: float, cut_off: Shares, cut_off_until_s: float) -> None:
        """Lets this process use shares of what is allowed until a monotonic time, then `cut_off`, then nothing."""
        ...
