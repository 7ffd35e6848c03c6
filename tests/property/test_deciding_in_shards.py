"""Processes that decide some shards each come and go: every strategy decides about every trade once, as in one process."""

from collections import Counter
from decimal import Decimal

import attrs
import trio
from hypothesis import given
from hypothesis import strategies as st
from property.deciding_world import LEADER, DecidingWorld, trade
from property.examples import QUICK
from property.fake_stores import Latencies
from property.made_decisions import strategy
from property.made_trades import NOON_S, transaction
from property.supervised import run_jumping, supervisor

from engine.decide_wiring import DecidePorts, deciding
from engine.runtime.host import run_graph
from protocols.clock import Random
from protocols.copied import StoredTrade
from protocols.decide_shards import SHARDS, lease_of_shard, part_in_shard, shard_of, shards_of, whole_part
from protocols.errors import TransientError
from protocols.strategies import Aggregation, EntryModel, TargetMode

LISTED = {"target_mode": TargetMode.LIST, "target_traders": (LEADER,), "entry_model": EntryModel.OBSERVED}
BOTS = (
    *(strategy(number, **LISTED | {"starting_balance": Decimal(40 + number)}) for number in range(1, 10)),
    strategy(10, **LISTED | {"aggregate": Aggregation.TRANSACTION}),
)
ALL = frozenset(range(SHARDS))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "buy", "same tx", "sell", "split", "killed", "whole", "weather"]),
        st.integers(0, 20),
        st.sampled_from([0.0, 0.1, 1.0, 3.0]),
    ),
    max_size=20,
)


@attrs.define(eq=False)
class Stored:
    """`CopiedTrades` of the ledger: what the ingest has committed, in order."""

    trades: list = attrs.field(factory=list)
    failing: int = 0

    async def end(self):
        return len(self.trades)

    async def after(self, position, trades_max):
        await trio.lowlevel.checkpoint()
        if self.failing:
            self.failing -= 1
            raise TransientError("weather")
        page = self.trades[position : position + trades_max]
        return [StoredTrade(one, position + number + 1) for number, one in enumerate(page)]


@attrs.define(eq=False)
class Cluster:
    """Deciders over one ledger; at any time each shard is decided by at most one of them."""

    world: DecidingWorld
    nursery: trio.Nursery
    stored: Stored = attrs.field(factory=Stored)
    running: list = attrs.field(factory=list)

    async def send(self, laned):
        await self.world.ledger.write((laned,))
        self.stored.trades.append(laned.trade)

    async def start(self, shards):
        ports = attrs.evolve(self.world.ports(), spill=None)
        made = deciding(
            self.world.config(),
            DecidePorts(
                paper=ports,
                copied=self.stored,
                position=await self.stored.end(),
                trades=self.world.ledger,
                mirrors=None,
                clock=self.world.wall,
                rng=Random(3),
                latency=Latencies(),
            ),
            shards,
        )
        # It settles every order there is: that only one process does it is the database's to see to.
        graph = attrs.evolve(made.graph, services=[one for one in made.graph.services if one.name != "settler"])
        over, ended, scope = trio.Event(), trio.Event(), trio.CancelScope()

        async def run():
            with scope:
                await run_graph(graph, supervisor(), over, drain_s=1.0)
            ended.set()

        self.nursery.start_soon(run)
        self.running.append((over, ended, scope))

    async def replace(self, *parts, killed=False):
        """The one before ends, in order or not, before the next one has its leases."""
        for over, ended, scope in self.running:
            (scope.cancel if killed else over.set)()
            await ended.wait()
        self.running.clear()
        for shards in parts:
            await self.start(shards)


async def play(cluster, steps):
    half = frozenset(range(SHARDS // 2))
    await cluster.replace(half, ALL - half)
    for number, (what, chosen, pause_s) in enumerate(steps):
        if what in ("split", "killed", "whole"):
            some = frozenset(shard for shard in ALL if (chosen + 1) * (shard + 3) % 7 < 3)
            await cluster.replace(*([ALL] if what == "whole" else [some, ALL - some]), killed=what == "killed")
        elif what == "weather":
            cluster.stored.failing = chosen % 4
        else:
            await cluster.send(made(number, what, chosen))
        await trio.sleep(pause_s)


def made(number, what, chosen):
    tx = transaction(1) if what == "same tx" else transaction(1_000 + number)
    return trade(
        number,
        side="SELL" if what == "sell" else "BUY",
        transaction_hash=tx,
        trade_ms=(NOON_S + int(trio.current_time())) * 1000,
        size_micro=(chosen + 1) * 1_000_000,
    )


@QUICK
@given(STEPS)
def test_every_strategy_decides_about_every_purchase_once_whoever_comes_and_goes(steps):
    world = DecidingWorld(BOTS)

    async def main():
        async with trio.open_nursery() as nursery:
            cluster = Cluster(world, nursery)
            await play(cluster, steps)
            await trio.sleep(30)
            nursery.cancel_scope.cancel()

    run_jumping(main)
    bought = {f"trade-{number}" for number, (what, _, _) in enumerate(steps) if what in ("buy", "same tx")}
    told = Counter()
    for decision in world.decisions():
        shards = {shard_of(number) for number in decision.strategies}
        assert len(shards) == 1
        assert decision.part == part_in_shard(whole_part(decision.part), *shards)
        for trade_id in decision.members or (decision.trade_id,):
            told.update((trade_id, number) for number in decision.strategies)
    for bot in BOTS:
        assert {trade_id for trade_id, number in told if number == bot.number} >= bought
        check_money(world.ledger, bot)
    assert set(told.values()) <= {1}


def check_money(ledger, bot):
    balance = ledger.balances[bot.wallet_id]
    orders = [one for one in ledger.positions.values() if one.order.wallet_id == bot.wallet_id]
    copied = [id_ for one in orders for id_ in one.order.members or (one.order.source_trade_id,)]
    assert len(copied) == len(set(copied))
    assert balance.cash >= 0
    assert balance.cash + balance.open_cost == balance.starting + balance.realized_pnl


@QUICK
@given(st.lists(st.tuples(st.sampled_from(["buy", "buy", "sell"]), st.integers(0, 20)), max_size=12))
def test_shards_come_to_what_one_process_comes_to(trades):
    """One second apart, so that no sale overtakes a purchase anywhere."""
    whole, parts = DecidingWorld(BOTS[:9]), DecidingWorld(BOTS[:9])

    async def alone(world):
        for number, (what, chosen) in enumerate(trades):
            await world.send(made(number, what, chosen))
            await trio.sleep(1)

    whole.run(alone)

    async def main():
        async with trio.open_nursery() as nursery:
            cluster = Cluster(parts, nursery)
            await play(cluster, [(what, chosen, 1.0) for what, chosen in trades])
            await trio.sleep(30)
            nursery.cancel_scope.cancel()

    run_jumping(main)
    for bot in BOTS[:9]:
        assert parts.ledger.balances[bot.wallet_id] == whole.ledger.balances[bot.wallet_id]
        first, second = ([(one.source_trade_id, one.stake, one.shares) for one in world.orders(bot.wallet_id)]
                         for world in (whole, parts))  # fmt: skip
        assert first == second


@QUICK
@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from([0.0, 1.0])), min_size=1, max_size=8), st.booleans())
def test_one_process_for_all_leaves_alone_what_shards_have_decided_and_the_other_way_round(trades, shards_first):
    world = DecidingWorld(BOTS[:9])

    async def alone(made_world):
        for number, (chosen, pause_s) in enumerate(trades[half:] if shards_first else trades[:half]):
            await made_world.send(made((half if shards_first else 0) + number, "buy", chosen))
            await trio.sleep(pause_s)

    async def apart():
        async with trio.open_nursery() as nursery:
            cluster = Cluster(world, nursery)
            if shards_first:
                await play(cluster, [("buy", chosen, pause_s) for chosen, pause_s in trades[:half]])
                # Some are decided by one shard and not by another when this ends.
                await cluster.replace(killed=True)
            else:
                await cluster.replace(ALL)
                for number, (chosen, _) in enumerate(trades[half:]):
                    await cluster.send(made(half + number, "buy", chosen))
                await trio.sleep(30)
            nursery.cancel_scope.cancel()

    half = len(trades) // 2
    if shards_first:
        run_jumping(apart)
        world.run(alone)
    else:
        world.run(alone)
        run_jumping(apart)
    told = Counter((one.trade_id, number) for one in world.decisions() for number in one.strategies)
    assert told == Counter({(f"trade-{n}", bot.number): 1 for n in range(len(trades)) for bot in BOTS[:9]})


def test_names_of_leases_and_parts_tell_the_shard():
    assert shards_of([lease_of_shard(3), lease_of_shard(0)]) == {0, 3}
    assert part_in_shard("tx+model", None) == "tx+model"
    assert whole_part(part_in_shard("tx+model", 5)) == "tx+model"
