"""Makes this process a member of the cluster: what it says of itself, and for how long it belongs to it."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import attrs
import trio

from actors.member import ClusterMember
from config.schema import EngineConfig
from engine.running import Engine
from engine.runtime.supervisor import Child
from protocols.clock import Random
from protocols.cluster import MemberFigures, MemberReport, MemberStore, Role

_VERSION = version("polycopy")
_ANYWHERE = ("0.0.0.0", "::", "[::]")  # noqa: S104 - recognised, not bound


@attrs.frozen(kw_only=True)
class Self:
    """What this process knows of itself."""

    engine: Engine
    member_id: str
    holder: str
    address: str

    def working(self) -> frozenset[Role]:
        """Returns which of its roles it does now."""
        return self.engine.working()

    def report(self) -> MemberReport:
        """Returns what the cluster is told, as of now."""
        engine, now_s = self.engine, trio.current_time()
        channels = engine.gauges.channel_statistics()
        return MemberReport(
            member_id=self.member_id,
            holder=self.holder,
            roles=engine.roles,
            working=self.working(),
            version=_VERSION,
            address=self.address,
            figures=MemberFigures(
                queue_depth=sum(one.depth for one in channels),
                queue_ratio=max((one.depth / one.capacity for one in channels), default=0.0),
                loop_lag_ms=round(engine.gauges.loop_lag.quantile_s(0.99) * 1000, 1),
                heap_bytes=engine.gauges.heap_bytes(),
                stream_age_s=engine.stream_age_s(now_s),
                stream_covered_s=engine.stream_covered_s(now_s),
            ),
        )


def address_of(config: EngineConfig, port: int) -> str:
    """Returns where others find the HTTP of this process: as it was told, or as far as it can know."""
    if config.cluster.address:
        return config.cluster.address
    host = config.http.host
    return f"{socket.gethostname() if host in _ANYWHERE else host}:{port}"


@asynccontextmanager
async def joined(me: Self, store: MemberStore, *, ttl_s: float, rng: Random) -> AsyncIterator[None]:
    """Belongs to the cluster as long as the context; leaves last, when nothing of this process asks the venue any more.

    The embedded server lets one engine in only, so that there is nobody to divide the venue's limits with.
    """
    engine = me.engine
    engine.member = ClusterMember(
        member_id=me.member_id,
        working=me.working,
        report=me.report,
        store=store,
        allowances=None if engine.config.database.url is None else engine.traffic,
        ttl_s=ttl_s,
        rng=rng,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(engine.supervisor.run_group, "cluster", (Child(name="member", run=engine.member.run),))
        try:
            yield
        finally:
            nursery.cancel_scope.cancel()
