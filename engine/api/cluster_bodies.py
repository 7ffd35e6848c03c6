"""What `/api/admin/cluster` answers: every engine on this database, and the leases."""

from collections.abc import Collection

from engine.api.route import Struct
from protocols.cluster import Api, ClusterReading, HistoryOnRecord, LeaseOnRecord, Member, Role


class LeaseState(Struct):
    """A lease of an engine."""

    name: str
    epoch: int
    left_s: float


class LeaseAnswer(Struct):
    """A lease, whoever has it or had it last."""

    name: str
    holder: str
    epoch: int
    held: bool
    left_s: float
    """Negative: since then it is free."""


class ApiShares(Struct):
    """Which part of what the venue allows a member may use, 0 to 1; all members together never have more than 1."""

    data: float
    gamma: float
    clob: float


class MemberAnswer(Struct):
    """One engine."""

    id: str
    holder: str
    """Host and process id."""
    state: str
    """`live`; `lost`: it was not heard of for its lease time; `left`: it said good-bye."""
    roles: list[str]
    working: list[str]
    """What it does now; a standby of the ingest does not ingest, and one that is gone does nothing."""
    version: str
    address: str
    up_s: float
    seen_age_s: float
    left_s: float
    """Until it counts as lost."""
    queue_depth: int
    """Items in all of its channels."""
    queue_ratio: float
    """How full the fullest is."""
    loop_lag_ms: float
    heap_bytes: int
    stream_age_s: float | None
    """Age of the last trade frame; null where the stream is not read."""
    shares: ApiShares
    leases: list[LeaseState]


class HistoryAnswer(Struct):
    """Which history of commits the database goes on with; a failover begins another one."""

    timeline: int
    """0: the service does not tell it."""
    is_synchronous: bool
    """Commits wait for a standby: a failover loses none."""
    continuity: str
    """How it goes on after the one before: `same` for the first, `complete`, or `doubtful`: commits may be missing."""
    reason: str | None
    age_s: float
    halted: str | None
    """Why live entries are stopped, and by whom."""


class ClusterAnswer(Struct):
    """All engines, live ones first; gone ones for an hour."""

    me: str
    """The id of the engine that answers; empty in an answer of the database alone."""
    members: list[MemberAnswer]
    leases: list[LeaseAnswer]
    roles_of_nobody: list[str]
    """Roles that no live engine does now."""
    versions: list[str]
    """Of the live engines; more than one while a rolling restart is under way."""
    history: HistoryAnswer | None = None
    """Null: no engine has asked for a lease yet."""


def cluster_answer(reading: ClusterReading, me: str = "") -> ClusterAnswer:
    """Returns a reading in the words of the API."""
    live = [one for one in reading.members if one.is_live]
    done = {role for one in live for role in one.report.working}
    return ClusterAnswer(
        me=me,
        members=[_member(one) for one in reading.members],
        leases=[_lease(one) for one in reading.leases],
        roles_of_nobody=[role.value for role in Role if role not in done],
        versions=sorted({one.report.version for one in live}),
        history=None if reading.history is None else _history(reading.history),
    )


def _member(one: Member) -> MemberAnswer:
    report, figures = one.report, one.report.figures
    return MemberAnswer(
        id=report.member_id,
        holder=report.holder,
        state="live" if one.is_live else "left" if one.has_left else "lost",
        roles=_words(report.roles),
        working=_words(report.working if one.is_live else ()),
        version=report.version,
        address=report.address,
        up_s=round(one.up_s, 1),
        seen_age_s=round(one.seen_age_s, 1),
        left_s=round(one.left_s, 1),
        queue_depth=figures.queue_depth,
        queue_ratio=round(figures.queue_ratio, 4),
        loop_lag_ms=round(figures.loop_lag_ms, 1),
        heap_bytes=figures.heap_bytes,
        stream_age_s=None if figures.stream_age_s is None else round(figures.stream_age_s, 3),
        shares=ApiShares(**{api.value: one.shares.get(api, 0) / 1000 if one.is_live else 0.0 for api in Api}),
        leases=[LeaseState(name=held.name, epoch=held.epoch, left_s=round(held.left_s, 1)) for held in one.leases],
    )


def _history(one: HistoryOnRecord) -> HistoryAnswer:
    return HistoryAnswer(
        timeline=one.timeline, is_synchronous=one.is_synchronous, continuity=one.continuity, reason=one.reason,
        age_s=round(one.age_s, 1), halted=one.halted,
    )  # fmt: skip


def _lease(one: LeaseOnRecord) -> LeaseAnswer:
    return LeaseAnswer(
        name=one.name, holder=one.holder, epoch=one.epoch, held=one.left_s > 0, left_s=round(one.left_s, 1)
    )


def _words(roles: Collection[Role]) -> list[str]:
    """Returns roles in the order of the data flow."""
    return [role.value for role in Role if role in roles]
