"""A wallet poll between a fake venue, a fake store and real channels, on virtual time."""

import attrs
import trio
from property.fake_accounts import FakeAccounts
from property.fake_history import FakeHistory, FixedTargets
from property.fake_poll_store import FakePollStore
from property.fake_stream import VenueClock
from property.made_trades import wallet

from actors.late_trades import LateTrades
from actors.polling.poll_figures import PollFigures
from actors.polling.poll_outlets import PollOutlets
from actors.polling.venue_asking import VenueAsking
from actors.polling.wallet_poll import WalletPoll
from engine.runtime.channel import Channel
from protocols.channels import Overflow
from protocols.positions import PositionEvent
from protocols.trades import Lane, RawTrade

W = wallet(1)


@attrs.define(eq=False)
class PollWorld:
    accounts: FakeAccounts = attrs.field(factory=FakeAccounts)
    history: FakeHistory = attrs.field(factory=FakeHistory)
    store: FakePollStore = attrs.field(factory=FakePollStore)
    lanes: dict[str, Lane] = attrs.field(factory=lambda: {W: Lane.FOLLOWED})
    raw: Channel[RawTrade] = attrs.field(factory=lambda: Channel[RawTrade]("raw_trades", 10_000))
    events: Channel[PositionEvent] = attrs.field(
        factory=lambda: Channel[PositionEvent]("position_events", 10_000, Overflow.DROP_OLDEST)
    )
    markets: Channel[str] = attrs.field(factory=lambda: Channel[str]("market_requests", 10, Overflow.DROP_NEWEST))
    outlets: PollOutlets = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        late = LateTrades(trades=self.raw.outbox(), targets=FixedTargets(self.lanes))
        self.outlets = PollOutlets(late=late, events=self.events.outbox(), markets=self.markets.outbox())

    def new_poll(self) -> WalletPoll:
        """A poll without memory, as after a start."""
        venue = VenueAsking(accounts=self.accounts, history=self.history, figures=PollFigures())
        return WalletPoll(venue=venue, clock=VenueClock())

    async def open(self, nursery: trio.Nursery) -> None:
        """Lets the ingest take trades."""
        await nursery.start(self.outlets.late.run)
