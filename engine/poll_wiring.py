"""The wallet pollers as a part of the graph. Called by `wiring.build`; the cold tier is a job (`job_wiring.py`).

wallet sets ─▶ hot_poller ─▶ raw_trades (by late_trades), market_requests
                   │
                   └─▶ PostgreSQL, position_events ─▶ position_listener ─▶ holdings of copied traders

Apart from the ingest, in any number of processes that split the wallets (`polling_apart`, called by `polling.py`):

wallet sets ─▶ hot_poller ─▶ the edge `polled` in PostgreSQL ─▶ polled_reader ─▶ raw_trades, wherever the ingest is
                   └─▶ PostgreSQL, market_requests ─▶ market_registry
"""

from typing import Any

import attrs

from actors.holding_desk import HoldingDesk
from actors.market_registry import MarketRegistry
from actors.polling.hot_poller import HotPoller
from actors.polling.poll_figures import PollFigures
from actors.polling.poll_outlets import PollOutlets
from actors.polling.polled_door import PolledDoor
from actors.polling.position_listener import PositionListener
from actors.polling.stream_watch import ToldCoverage
from actors.polling.venue_asking import VenueAsking
from actors.polling.wallet_poll import WalletPoll
from actors.target_registry import TargetRegistry
from config.schema import EngineConfig
from engine.runtime.channel import Channel
from engine.runtime.host import Graph
from engine.runtime.supervisor import Child
from protocols.channels import Overflow
from protocols.clock import Random, WallClock
from protocols.cluster import Membership
from protocols.edges import EdgeStore
from protocols.ingest import MarketCatalog, MarketStore, TargetStore, TradeHistory
from protocols.polled import PolledPageCodec
from protocols.polling import PollStore, StreamCoverage, TradeDoor
from protocols.positions import PositionEvent
from protocols.trader_accounts import TraderAccounts


@attrs.frozen(kw_only=True)
class PollPorts:
    """The world behind the hot tier."""

    accounts: TraderAccounts
    history: TradeHistory
    store: PollStore
    membership: Membership | None = None
    """Who else polls; None: nobody."""


@attrs.frozen(kw_only=True)
class Polling:
    """Its actors and its channel; all empty where nobody is polled."""

    outlets: PollOutlets | None = None
    hot: HotPoller | None = None
    listener: PositionListener | None = None
    sources: tuple[Child, ...] = ()
    stages: tuple[Child, ...] = ()
    channels: tuple[Channel[Any], ...] = ()


def polling(
    config: EngineConfig,
    io: PollPorts | None,
    coverage: StreamCoverage,
    door: TradeDoor,
    holdings: HoldingDesk | None,
    market_requests: Channel[str],
    clock: WallClock,
    rng: Random,
) -> Polling:
    """Returns the hot tier, ready to run; `coverage` says whether trades come without it, and `door` takes them."""
    if io is None:
        return Polling()
    capacity = config.channels["position_events"].capacity
    events = Channel[PositionEvent]("position_events", capacity, Overflow.DROP_OLDEST)
    told, asked = events.outbox(), market_requests.outbox()
    outlets = PollOutlets(late=door, events=told, markets=asked)
    hot = HotPoller(
        wallet_poll=wallet_poll(io.accounts, io.history, clock),
        store=io.store,
        outlets=outlets,
        targets=door.targets,
        coverage=coverage,
        config=config.poller.hot,
        rng=rng,
        membership=io.membership,
    )
    listener = PositionListener(events=events.inbox, holdings=holdings)
    return Polling(
        outlets=outlets,
        hot=hot,
        listener=listener,
        sources=(Child(name="hot_poller", run=hot.run, writes=(told, asked)),),
        stages=(Child(name="position_listener", run=listener.run, reads=(events,)),),
        channels=(events,),
    )


@attrs.frozen(kw_only=True)
class PollApartPorts:
    """The world behind pollers that run in a process without the ingest."""

    polls: PollPorts
    """With a membership."""
    targets: TargetStore
    markets: MarketStore
    catalog: MarketCatalog
    polled: EdgeStore
    clock: WallClock
    rng: Random


@attrs.frozen(kw_only=True)
class PollingApart:
    """Its actors, for its host and for those who read their counters."""

    polling: Polling
    door: PolledDoor
    graph: Graph


def polling_apart(config: EngineConfig, io: PollApartPorts, membership: Membership) -> PollingApart:
    """Returns the graph of a process that polls and does not ingest, ready to run."""
    requests = Channel[str]("market_requests", config.channels["market_requests"].capacity, Overflow.DROP_NEWEST)
    targets = TargetRegistry(store=io.targets, config=config.filter, rng=io.rng)
    markets = MarketRegistry(
        requests=requests.inbox, store=io.markets, catalog=io.catalog, config=config.markets, rng=io.rng
    )
    door = PolledDoor(store=io.polled, codec=PolledPageCodec(), targets=targets)
    coverage = ToldCoverage(membership=membership)
    found = polling(config, io.polls, coverage, door, None, requests, io.clock, io.rng)
    graph = Graph(
        name="poll",
        services=(
            Child(name="target_registry", run=targets.run),
            Child(name="market_registry", run=markets.run, reads=(requests,)),
        ),
        sources=found.sources,
        stages=found.stages,
        channels=(requests, *found.channels),
    )
    return PollingApart(polling=found, door=door, graph=graph)


def wallet_poll(accounts: TraderAccounts, history: TradeHistory, clock: WallClock) -> WalletPoll:
    """Returns what polls the wallets of one tier, with figures of its own."""
    return WalletPoll(venue=VenueAsking(accounts=accounts, history=history, figures=PollFigures()), clock=clock)
