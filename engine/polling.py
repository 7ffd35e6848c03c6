"""Polls wallets in a process that does not ingest: those that it owns among all that poll. Under no lease (`poll_store.py`).

wallets of the venue ─▶ pollers (`poll_wiring.py`) ─▶ PostgreSQL ─▶ whoever ingests
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import attrs

from engine.adapters.assembly import GAMMA_RATE_PER_S, TARGETS_CHANNEL, background
from engine.adapters.database_source import keep_listening
from engine.adapters.market_catalog import open_catalog
from engine.adapters.poll_adapters import open_poll_adapters
from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.edge_store import PostgresEdgeStore
from engine.adapters.postgres.market_store import PostgresMarketStore
from engine.adapters.postgres.target_store import PostgresTargetStore
from engine.apart import HostContext, working_at
from engine.poll_wiring import PollApartPorts, PollingApart, PollPorts, polling_apart
from engine.polled_edge import PAGES_MAX
from engine.runtime.host import DrainReport, run_graph
from engine.runtime.readiness import ReachedOnStart
from protocols.cluster import Membership, Role
from protocols.polled import POLLED


@attrs.define(eq=False, kw_only=True)
class PollHost:
    """The pollers of one process until `stop` is set."""

    context: HostContext
    report: DrainReport | None = attrs.field(init=False, default=None)

    async def run(self) -> None:
        """Polls until `stop` is set."""
        context, engine = self.context, self.context.engine
        membership = engine.member
        assert membership is not None, "an engine joins the cluster before it works"
        async with self._opened(membership) as found:
            engine.polling, engine.graphs[Role.POLL] = found.polling, found.graph
            try:
                with working_at(engine, Role.POLL):
                    self.report = await run_graph(
                        found.graph,
                        engine.supervisor,
                        context.stop,
                        drain_s=context.config.limits.drain_s,
                        task_status=ReachedOnStart(engine.readiness, Role.POLL),
                    )
            finally:
                engine.polling = None
                del engine.graphs[Role.POLL]

    @asynccontextmanager
    async def _opened(self, membership: Membership) -> AsyncIterator[PollingApart]:
        context = self.context
        config, options, traffic = context.config, context.options, context.engine.traffic
        async with AsyncExitStack() as stack:
            catalog = await stack.enter_async_context(open_catalog(config.venue, traffic, rate_per_s=GAMMA_RATE_PER_S))
            wallets, markets, pages = [
                await stack.enter_async_context(open_connection(options, name))
                for name in ("targets", "markets", "polled")
            ]
            polls = await stack.enter_async_context(
                open_poll_adapters(config, options, None, clock=context.clock, traffic=traffic)
            )
            targets = PostgresTargetStore(wallets)
            nursery = await stack.enter_async_context(background())
            nursery.start_soon(keep_listening, config.database, options, TARGETS_CHANNEL, targets.notify)
            yield polling_apart(
                config,
                PollApartPorts(
                    polls=PollPorts(**attrs.asdict(polls, recurse=False), membership=membership),
                    targets=targets,
                    markets=PostgresMarketStore(markets),
                    catalog=catalog,
                    polled=PostgresEdgeStore(
                        connection=pages, edge=POLLED, who=context.office.owner, items_max=PAGES_MAX
                    ),
                    clock=context.clock,
                    rng=context.rng,
                ),
                membership,
            )
