"""Members of the cluster in PostgreSQL, and the settling of their shares."""

from collections.abc import Sequence

import asyncpg
import attrs

from actors.rules.api_shares import settled
from engine.adapters.postgres import member_statements as sql
from engine.adapters.postgres.database import RunsWork
from protocols.cluster import (
    Api,
    Beat,
    BeatAnswer,
    ClusterReading,
    HeldLease,
    HistoryOnRecord,
    LeaseOnRecord,
    Member,
    MemberFigures,
    MemberReport,
    Role,
)
from protocols.errors import TransientError
from protocols.text import storable

_KNOWN = {role.value for role in Role}
_HOLDER_MAX, _VERSION_MAX = 300, 60


@attrs.define(eq=False)
class PostgresMemberStore:
    """`MemberStore`. The connection should be one that nobody else uses: a heartbeat must not wait."""

    connection: RunsWork

    async def beat(self, beat: Beat) -> BeatAnswer:
        """Says that a member is alive and settles its shares. Raises `TransientError`, also for one that came too late."""

        async def work(raw: asyncpg.Connection) -> BeatAnswer | None:
            async with raw.transaction():
                await raw.execute(sql.LOCK, sql.LOCK_KEY)
                before = await raw.fetch(sql.MEMBERS)
                if any(row["member_id"] == beat.report.member_id and row["beat"] >= beat.number for row in before):
                    return None
                others = [_member(row) for row in before if row["member_id"] != beat.report.member_id]
                granted, counted = settled(beat, others)
                await raw.execute(sql.BEAT, *_columns(beat), *(counted[api] for api in Api), beat.ttl_s)
                await raw.execute(sql.PRUNE)
                return BeatAnswer(granted=granted, members=[_member(row) for row in await raw.fetch(sql.MEMBERS)])

        answer = await self.connection.run(work)
        if answer is None:
            raise TransientError("a later heartbeat was there first")
        return answer

    async def leave(self, member_id: str) -> None:
        """Takes a member out. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> object:
            return await raw.execute(sql.LEAVE, member_id)

        await self.connection.run(work)

    async def reading(self) -> ClusterReading:
        """Returns all members with their leases: live, lost, gone, and of each the oldest first. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> list[list[asyncpg.Record]]:
            return [await raw.fetch(statement) for statement in (sql.MEMBERS, sql.LEASES, sql.HISTORY)]

        rows, leases, histories = await self.connection.run(work)
        known = [
            LeaseOnRecord(
                name=row["name"], holder=row["holder"], owner=row["owner"], epoch=row["epoch"], left_s=row["left_s"]
            )
            for row in leases
        ]
        members = [attrs.evolve(one, leases=_held(one.report.member_id, known)) for one in map(_member, rows)]
        history = [HistoryOnRecord(**dict(row)) for row in histories]
        return ClusterReading(
            members=sorted(members, key=lambda one: (not one.is_live, one.has_left)),
            leases=known,
            history=history[0] if history else None,
        )


def _held(member_id: str, leases: Sequence[LeaseOnRecord]) -> list[HeldLease]:
    """Returns the leases of a process; those of its jobs have a number behind its id."""
    return [
        HeldLease(name=one.name, epoch=one.epoch, left_s=one.left_s)
        for one in leases
        if one.owner.partition("/")[0] == member_id and one.left_s > 0
    ]


def _columns(beat: Beat) -> tuple[object, ...]:
    report, figures = beat.report, beat.report.figures
    return (
        report.member_id,
        storable(report.holder)[:_HOLDER_MAX],
        sorted(report.roles),
        sorted(report.working),
        storable(report.version)[:_VERSION_MAX],
        storable(report.address)[:_HOLDER_MAX],
        beat.number,
        figures.queue_depth,
        figures.queue_ratio,
        figures.loop_lag_ms,
        figures.heap_bytes,
        figures.stream_age_s,
        figures.stream_covered_s,
    )


def _member(row: asyncpg.Record) -> Member:
    return Member(
        report=MemberReport(
            member_id=row["member_id"],
            holder=row["holder"],
            roles=_roles(row["roles"]),
            working=_roles(row["working"]),
            version=row["version"],
            address=row["address"],
            figures=MemberFigures(
                queue_depth=row["queue_depth"],
                queue_ratio=row["queue_ratio"],
                loop_lag_ms=row["loop_lag_ms"],
                heap_bytes=row["heap_bytes"],
                stream_age_s=row["stream_age_s"],
                stream_covered_s=row["stream_covered_s"],
            ),
        ),
        shares={api: row[f"{api.value}_share"] for api in Api},
        up_s=row["up_s"],
        seen_age_s=row["seen_age_s"],
        left_s=row["left_s"],
        has_left=row["has_left"],
    )


def _roles(words: Sequence[str]) -> frozenset[Role]:
    """Returns the roles that this version knows; a later one may have others."""
    return frozenset(Role(word) for word in words if word in _KNOWN)
