"""Members of a cluster in memory, on trio's clock, over a line that loses questions and answers on command."""

from collections.abc import Sequence

import attrs
import trio

from actors.rules.api_shares import settled
from protocols.cluster import Beat, BeatAnswer, ClusterReading, Member, MemberReport, Role, Shares
from protocols.errors import TransientError

KEPT_S = 3_600.0


def report_of(name: str, *working: Role, roles: frozenset[Role] = frozenset(Role)) -> MemberReport:
    return MemberReport(
        member_id=name,
        holder=f"host {name}",
        roles=roles,
        working=frozenset(working),
        version="1",
        address=f"{name}:80",
    )


@attrs.define
class Row:
    beat: Beat
    counted: Shares
    joined_s: float
    seen_s: float
    left_s: float | None = None


@attrs.define(eq=False)
class MemoryMembers:
    """The table: the same rule as the database's store, one transaction at a time since nothing in it waits."""

    rows: dict[str, Row] = attrs.field(factory=dict)

    def line(self) -> "Line":
        return Line(self)

    def members(self) -> list[Member]:
        now_s = trio.current_time()
        return [
            Member(
                report=row.beat.report,
                shares=row.counted,
                up_s=row.seen_s - row.joined_s,
                seen_age_s=now_s - row.seen_s,
                left_s=row.seen_s + row.beat.ttl_s - now_s,
                has_left=row.left_s is not None,
            )
            for row in self.rows.values()
        ]


@attrs.define(eq=False)
class Line:
    """What one process has of it."""

    table: MemoryMembers
    asks: str = ""
    """`lost`: the question never arrives; `unanswered`: it is done and nobody hears of it; `slow`: done, answered late."""

    async def beat(self, beat: Beat) -> BeatAnswer:
        await self._way("lost")
        rows, name = self.table.rows, beat.report.member_id
        before = rows.get(name)
        if before is not None and before.beat.number >= beat.number:
            raise TransientError("late")
        others = [one for one in self.table.members() if one.report.member_id != name]
        granted, counted = settled(beat, others)
        now_s = trio.current_time()
        rows[name] = Row(beat, counted, before.joined_s if before else now_s, now_s)
        for old in [key for key, row in rows.items() if now_s - row.seen_s > KEPT_S]:
            del rows[old]
        answer = BeatAnswer(granted=granted, members=self.table.members())
        if self.asks == "slow":
            await trio.sleep(1)
        await self._way("unanswered")
        return answer

    async def leave(self, member_id: str) -> None:
        await self._way("lost")
        if (row := self.table.rows.get(member_id)) is not None:
            row.left_s = trio.current_time()
            row.counted = {}

    async def reading(self) -> ClusterReading:
        await self._way("lost")
        members: Sequence[Member] = self.table.members()
        return ClusterReading(members=members, leases=())

    async def _way(self, fault: str) -> None:
        await trio.lowlevel.checkpoint()
        if self.asks == fault:
            raise TransientError("the line is down")
