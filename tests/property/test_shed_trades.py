"""What the writer sheds comes back with history, and what history brings is never shed."""

from decimal import Decimal

import trio
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY
from property.made_trades import raw, transaction, wallet
from property.supervised import run_jumping

from actors.trade_filter import TradeFilter
from config.schema import ChannelConfig, FilterConfig
from engine.runtime.channel import Channel
from engine.writer_channel import writer_channel
from protocols.channels import Overflow
from protocols.ingest import TargetSets
from protocols.trades import Lane, TradeSource

LANES = {wallet(1): Lane.FOLLOWED, wallet(2): Lane.KNOWN}
STREAM = ["rtds:1:trades", "rtds:1:orders_matched", "rtds:2:trades"]
SIGHTINGS = st.lists(
    st.tuples(
        st.sampled_from(sorted(LANES)), st.integers(0, 12), st.sampled_from([*STREAM, "gap:1", "gap:2", "poller:1"])
    ),
    max_size=40,
    unique=True,
)
"""Wallet, transaction, and who saw it: once in each place."""


class Targets:
    def current(self):
        return TargetSets(lanes=LANES, version=1)


def kept_trades(sightings, *, capacity, shed_above, pause_ms, batch_max):
    """Returns what a slow reader of the writer's channel gets, and the channel's counters."""
    raw_trades, kept = Channel("raw_trades", 4), []
    config = ChannelConfig(capacity=capacity, shed_above=shed_above)
    writer = writer_channel(config, forget=lambda trade_ids: actor.forget(trade_ids))
    copied, markets = Channel("copy_trades", 4), Channel("markets", 2, Overflow.DROP_NEWEST)
    outbox, filled = writer.outbox(), raw_trades.outbox()
    actor = TradeFilter(
        trades=raw_trades.inbox,
        copied=copied.outbox(),
        kept=outbox,
        markets=markets.outbox(),
        targets=Targets(),
        config=FilterConfig(batch_max=batch_max),
    )

    async def feed():
        for owner, number, scope in sightings:
            row = raw(scope=scope, proxy_wallet=owner, transaction_hash=transaction(number), size=Decimal(1))
            await filled.send(row)
        filled.close()

    async def filtering():
        await actor.run()
        outbox.close()

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed)
            nursery.start_soon(filtering)
            while batch := await writer.inbox.batch(1):
                kept.extend(batch)
                await trio.sleep(pause_ms / 1000)

    run_jumping(main)
    return kept, writer.statistics()


WORLDS = {
    "capacity": st.integers(1, 6),
    "shed_above": st.integers(1, 6),
    "pause_ms": st.integers(0, 3),
    "batch_max": st.integers(1, 40),
}


def places_of(kept):
    return {(laned.trade.wallet, laned.trade.transaction_hash) for laned in kept}


@MANY
@given(sightings=SIGHTINGS, **WORLDS)
def test_every_trade_that_history_brought_or_a_user_follows_is_kept(sightings, **world):
    kept, statistics = kept_trades(sightings, **world)
    must = {
        (owner, transaction(number))
        for owner, number, scope in sightings
        if LANES[owner] is Lane.FOLLOWED or not scope.startswith("rtds:")
    }
    assert must <= places_of(kept)
    assert set(statistics.dropped_by) <= {(Lane.KNOWN, "shed")}


@MANY
@given(sightings=SIGHTINGS, **WORLDS)
def test_a_poll_after_the_stream_leaves_nothing_out(sightings, **world):
    streamed = [(owner, number, STREAM[0]) for owner, number, _ in sightings]
    polled = [(owner, number, "poller:9") for owner, number, _ in sightings]
    kept, _ = kept_trades([*dict.fromkeys(streamed), *dict.fromkeys(polled)], **world)
    assert places_of(kept) == {(owner, transaction(number)) for owner, number, _ in sightings}


def test_what_was_shed_tells_afterwards_who_brought_it():
    sightings = [(wallet(2), number, STREAM[0]) for number in range(9)]
    polled = [(wallet(2), number, "poller:9") for number in range(9)]
    kept, statistics = kept_trades([*sightings, *polled], capacity=50, shed_above=2, pause_ms=1, batch_max=9)
    assert statistics.dropped_by
    by_source = {laned.trade.source for laned in kept}
    assert by_source == {TradeSource.STREAM, TradeSource.POLLER}
