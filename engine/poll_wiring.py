"""The wallet pollers as a part of the graph. Called by `wiring.build`; the cold tier is a job (`job_wiring.py`).

wallet sets ─▶ hot_poller ─▶ raw_trades (by late_trades), market_requests
                   │
                   └─▶ PostgreSQL, position_events ─▶ position_listener ─▶ holdings of copied traders
"""

from typing import Any

import attrs

from actors.gap_filler import GapFiller
from actors.holding_desk import HoldingDesk
from actors.late_trades import LateTrades
from actors.polling.hot_poller import HotPoller
from actors.polling.poll_figures import PollFigures
from actors.polling.poll_outlets import PollOutlets
from actors.polling.position_listener import PositionListener
from actors.polling.stream_watch import StreamWatch
from actors.polling.venue_asking import VenueAsking
from actors.polling.wallet_poll import WalletPoll
from actors.stream_reader import StreamReader
from config.schema import EngineConfig
from engine.runtime.channel import Channel
from engine.runtime.supervisor import Child
from protocols.channels import Overflow
from protocols.clock import Random, WallClock
from protocols.cluster import Membership
from protocols.ingest import TargetView, TradeHistory
from protocols.polling import PollStore
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
    listened: tuple[StreamReader, GapFiller, LateTrades],
    targets: TargetView,
    holdings: HoldingDesk | None,
    market_requests: Channel[str],
    clock: WallClock,
    rng: Random,
) -> Polling:
    """Returns the hot tier, ready to run. `listened` is what brings trades otherwise, and the door for late ones."""
    if io is None:
        return Polling()
    reader, filler, late = listened
    capacity = config.channels["position_events"].capacity
    events = Channel[PositionEvent]("position_events", capacity, Overflow.DROP_OLDEST)
    told, asked = events.outbox(), market_requests.outbox()
    outlets = PollOutlets(late=late, events=told, markets=asked)
    hot = HotPoller(
        wallet_poll=wallet_poll(io.accounts, io.history, clock),
        store=io.store,
        outlets=outlets,
        targets=targets,
        coverage=StreamWatch(reader=reader, filler=filler, silence_max_s=config.stream.stall_timeout_s),
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


def wallet_poll(accounts: TraderAccounts, history: TradeHistory, clock: WallClock) -> WalletPoll:
    """Returns what polls the wallets of one tier, with figures of its own."""
    return WalletPoll(venue=VenueAsking(accounts=accounts, history=history, figures=PollFigures()), clock=clock)
