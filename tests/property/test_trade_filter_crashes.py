from collections import Counter
from decimal import Decimal

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY, SLOW
from property.made_trades import STRANGER, raw, transaction, wallet
from property.supervised import CrashPlan, FlakyOutbox, crash_sets, run_jumping, supervisor

from actors.trade_filter import TradeFilter
from config.schema import FilterConfig
from engine.runtime.channel import Channel, LanePolicy
from engine.runtime.supervisor import Child
from protocols.channels import Overflow
from protocols.ingest import TargetSets
from protocols.trades import Lane, TradeSource

LANES = {wallet(1): Lane.TARGET, wallet(2): Lane.FOLLOWED, wallet(3): Lane.KNOWN}
SCOPES = ["rtds:1:trades", "rtds:1:orders_matched", "rtds:2:trades", "rtds:2:orders_matched", "gap:1", "gap:2"]


@attrs.frozen
class Seen:
    """One sighting of a fill: what it is, where it was seen, and how it was spelled there."""

    fill: tuple  # transaction, wallet, token, side, micro-shares
    scope: str
    shouted: bool
    decimals: int
    off_s: int
    damage: str | None

    def raw(self):
        tx, owner, token, side, micro = self.fill
        size = Decimal(micro).scaleb(-6).quantize(Decimal(1).scaleb(-self.decimals))
        price, timestamp = Decimal("0.5000001234"), 1_780_000_000 + self.off_s
        if self.damage == "size":
            size = Decimal("NaN")
        return raw(
            scope=self.scope,
            proxy_wallet="0x" + owner[2:].upper() if self.shouted else owner,
            transaction_hash=tx.upper().replace("X", "x") if self.shouted else tx,
            asset="not a token" if self.damage == "token" else token,
            side=side.lower() if self.shouted else side,
            size=size,
            price=Decimal(7) if self.damage == "price" else price,
            timestamp="garbage" if self.damage == "timestamp" else timestamp,
        )


FILLS = st.tuples(
    st.integers(0, 3).map(transaction),
    st.sampled_from([wallet(1), wallet(1), wallet(2), wallet(3), STRANGER]),
    st.sampled_from(["1", "2"]),
    st.sampled_from(["BUY", "SELL"]),
    st.integers(1, 2),
)
SIGHTINGS = st.lists(
    st.builds(
        Seen, FILLS, st.sampled_from(SCOPES), st.booleans(), st.integers(6, 18), st.integers(-1, 1),
        st.sampled_from([None] * 8 + ["size", "token", "price", "timestamp"]),
    ),
    max_size=30,
)  # fmt: skip


def expected(sightings):
    """The slow way: every n-th equal fill within one place is fill n, wherever else it was seen."""
    fills, malformed = set(), Counter()
    places: dict = {}
    for seen in sightings:
        if seen.fill[1] == STRANGER:
            continue
        if seen.damage in ("size", "token"):
            malformed[seen.damage] += 1
            continue
        earlier = places.setdefault((seen.scope, seen.fill), [])
        fill = (*seen.fill, len(earlier))
        if not seen.damage:
            fills.add(fill)
        elif fill not in fills:
            # Once a fill is known, nobody looks at the rest of another sighting.
            malformed[seen.damage] += 1
        earlier.append(seen)
    return fills, malformed


def fill_of(laned):
    trade = laned.trade
    ordinal = int(trade.trade_id.rpartition("-")[2])
    return (trade.transaction_hash, trade.wallet, trade.token_id, trade.side, trade.size_micro, ordinal)


class Targets:
    def current(self):
        return TargetSets(lanes=LANES, version=1)


@attrs.define(eq=False)
class Filtered:
    kept: list
    actor: TradeFilter
    raw_trades: Channel
    markets: Channel
    plan: CrashPlan
    told: set


def filtered(sightings, *, crash_at=frozenset(), partly=0, batch_max=4, capacity=3, pauses_ms=(0,)):
    plan, told = CrashPlan(crash_at), set()
    raw_trades, markets = Channel("raw_trades", capacity), Channel("markets", 2, Overflow.DROP_NEWEST)
    policy = LanePolicy(lanes=3, lane_of=lambda laned: laned.lane, shed_from=3, shed_above=capacity)
    writer = Channel("writer", capacity, Overflow.LANES, policy)
    copy_trades = Channel("copy_trades", capacity)
    copied_outbox, kept_outbox, market_outbox = copy_trades.outbox(), writer.outbox(), markets.outbox()
    actor = TradeFilter(
        trades=raw_trades.inbox,
        copied=FlakyOutbox(copied_outbox, plan, partly),
        kept=FlakyOutbox(kept_outbox, plan, partly),
        markets=FlakyOutbox(market_outbox, plan),
        targets=Targets(),
        config=FilterConfig(batch_max=batch_max),
        own={STRANGER: told.update},
    )
    writes = (copied_outbox, kept_outbox, market_outbox)
    child = Child(name="trade_filter", run=actor.run, reads=(raw_trades,), writes=writes)
    result = Filtered([], actor, raw_trades, markets, plan, told)

    async def feed(outbox):
        for number, seen in enumerate(sightings):
            await trio.sleep(pauses_ms[number % len(pauses_ms)] / 1000)
            await outbox.send(seen.raw())
        outbox.close()

    async def main():
        keeper = supervisor()
        async with trio.open_nursery() as nursery:
            await nursery.start(keeper.keep_alive, child, keeper.policy)
            nursery.start_soon(feed, raw_trades.outbox())
            nursery.start_soon(collect, copy_trades.inbox, {Lane.TARGET})
            nursery.start_soon(collect, writer.inbox, {Lane.FOLLOWED, Lane.KNOWN})

    async def collect(inbox, lanes):
        while batch := await inbox.batch(2):
            assert {laned.lane for laned in batch} <= lanes
            result.kept.extend(batch)

    run_jumping(main)
    return result


WORLDS = {
    "sightings": SIGHTINGS,
    "crash_at": crash_sets(60, apart=3),
    "partly": st.integers(0, 3),
    "batch_max": st.integers(1, 6),
    "capacity": st.integers(1, 5),
    "pauses_ms": st.lists(st.integers(0, 3), min_size=1, max_size=4),
}


def check_the_promise(sightings, **world):
    result = filtered(sightings, **world)
    fills, malformed = expected(sightings)
    assert {fill_of(laned) for laned in result.kept} == fills
    assert len({laned.trade.trade_id for laned in result.kept}) == len(fills)
    assert result.actor.malformed == malformed
    strangers = sum(seen.fill[1] == STRANGER for seen in sightings)
    shown = {seen.fill[0] for seen in sightings if seen.fill[1] == STRANGER}
    assert result.actor.seen_by_lane["none"] == strangers
    # Whoever owns a wallet hears of its transactions, also when nobody follows it.
    assert result.told == shown
    assert sum(result.actor.seen_by_lane.values()) - strangers == len(fills)
    assert not result.raw_trades.dead_letters
    if not result.plan.crashes:
        # Lane 2 comes again with history: what the stream brought may have been shed since.
        again = [laned for laned in result.kept if laned.lane is Lane.KNOWN and laned.trade.source is TradeSource.GAP]
        once = [laned for laned in result.kept if laned not in again]
        assert len({laned.trade.trade_id for laned in once}) == len(once)
    for laned in result.kept:
        assert laned.lane is LANES[laned.trade.wallet]


@MANY
@given(**WORLDS | {"crash_at": st.just(frozenset())})
def test_what_reaches_the_writer_equals_the_slow_reference(**world):
    check_the_promise(**world)


@MANY
@given(**WORLDS)
def test_what_reaches_the_writer_equals_the_slow_reference_over_crashes(**world):
    check_the_promise(**world)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@SLOW
@given(**WORLDS)
def test_what_reaches_the_writer_equals_the_slow_reference_over_many_crashes(**world):
    check_the_promise(**world)


def sighting(number, scope=SCOPES[0], damage=None):
    return Seen((transaction(number), wallet(1), "1", "BUY", 1), scope, False, 6, 0, damage)


def test_a_crash_while_asking_for_a_market_gives_nobody_a_second_ordinal():
    result = filtered([sighting(1), sighting(2)], crash_at={1}, batch_max=1)
    assert result.plan.crashes == 1
    assert {fill_of(laned)[-1] for laned in result.kept} == {0}


def test_two_identical_fills_in_one_batch_survive_redelivery_one_by_one():
    result = filtered([sighting(1), sighting(1), sighting(1, SCOPES[1])], crash_at={0}, partly=1, capacity=5)
    assert {fill_of(laned)[-1] for laned in result.kept} == {0, 1}


def test_a_market_is_asked_for_once_and_again_only_if_the_request_was_lost():
    result = filtered([sighting(number) for number in range(10)])
    assert result.markets.statistics().sent == 1


def test_poison_alone_is_lost(monkeypatch):
    poison = transaction(3)

    def admit_unless_poison(batch, *rest, **named):
        if any(raw_trade.row.transaction_hash == poison for raw_trade in batch):
            raise RuntimeError("a bug of ours")
        return admit(batch, *rest, **named)

    import actors.trade_filter as module

    admit = module.admit
    monkeypatch.setattr(module, "admit", admit_unless_poison)
    result = filtered([sighting(number) for number in range(8)])
    assert [fill_of(laned)[0] for laned in result.kept] == [transaction(n) for n in range(8) if n != 3]
    assert len(result.raw_trades.dead_letters) == 1
