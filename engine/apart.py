"""What all hosts are given, and how those that work apart from the ingest come to their share of the leases."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

import attrs
import trio

from config.schema import EngineConfig
from engine.adapters.postgres.database import DatabaseOptions
from engine.adapters.postgres.leases import LeaseOffice
from engine.lease_keeping import HeldLeases
from engine.lease_sharing import SharedLeases
from engine.running import Engine
from engine.runtime.latency import LatencyRecorder
from protocols.clock import Random, WallClock
from protocols.cluster import ClusterView, Role


@attrs.frozen(kw_only=True)
class HostContext:
    """What every host is given."""

    config: EngineConfig
    engine: Engine
    options: DatabaseOptions
    office: LeaseOffice
    stop: trio.Event
    clock: WallClock
    rng: Random
    latency: LatencyRecorder
    order_latency: LatencyRecorder
    database_id: str
    """Names the directory of the journal."""
    trades_live: bool = False
    """Both switches are on."""


@contextmanager
def working_at(engine: Engine, role: Role) -> Iterator[None]:
    """Says, as long as the context, that this engine does a role apart from the ingest."""
    engine.apart.add(role)
    try:
        yield
    finally:
        engine.apart.discard(role)


async def work_under_share(
    context: HostContext,
    role: Role,
    names: Sequence[str],
    share_of: Callable[[int, ClusterView], int],
    work: Callable[[HeldLeases, trio.Event], Awaitable[None]],
) -> None:
    """Works under as many free ones of these leases as are this engine's share, until it shall stop."""

    def share(leases: int) -> int:
        member = context.engine.member
        return leases if member is None else share_of(leases, member.view())

    with working_at(context.engine, role):
        await SharedLeases(office=context.office, names=names, share=share).run(context.stop, work)
