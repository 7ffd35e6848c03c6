"""The world behind the live trading of one node, under the leases that it holds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from simulation.cluster_sim.cluster_database import BehindLine
from simulation.cluster_sim.cluster_network import NodeDialer, NodeLanes, NodeUpstream
from simulation.live_sim.sim_markets import SimMarkets
from simulation.live_sim.sim_world import CHAIN, SimAccount, _Nobody

from engine.adapters.clob_account_api import ClobAccountApi
from engine.adapters.order_books import ClobOrderBooks
from engine.adapters.order_maker import AccountOrderMaker
from engine.adapters.user_socket import ClobUserDialer
from engine.lease_keeping import HeldLeases
from engine.live_ports import AccountPorts, LivePorts
from engine.runtime.rate_limit import TokenBucket
from protocols.clock import Random
from protocols.live.ports import TradingAccount

if TYPE_CHECKING:
    from simulation.cluster_sim.cluster_node import Node

FENCED = (
    "claim", "decline", "journal", "apply", "settle", "release", "open_exits", "save_exits", "fixed_target", "latch"
)  # fmt: skip
"""What `live_order_store.py` writes under leases."""


def node_ports(node: "Node", held: HeldLeases, accounts: Sequence[str], rng: Random) -> LivePorts:
    """Returns ports of some accounts: reads and writes of theirs only, writes under the leases."""
    world = node.world

    def line() -> Any:
        return world.database.line(node.way)

    watch, table = line(), line()
    markets: Any = SimMarkets(world.venue)
    store: Any = BehindLine(world.ledger_of(accounts), line(), held.leases, FENCED)
    looks: Any = BehindLine(world.watch_of(accounts), watch)
    manual: Any = BehindLine(world.manual, line(), held.leases, ("claim_keyed",))
    upstream: Any = NodeUpstream(world.venue, node.venue_way)
    strategies: Any = BehindLine(world.table, table)
    logs: Any = BehindLine(world.logs, line())
    is_safe = held.is_safe if world.holds_back else _always
    return LivePorts(
        strategies=strategies,
        orders=store,
        logs=logs,
        reconciliations=looks,
        redemptions=looks,
        exit_rows=looks,
        manual=manual,
        books=ClobOrderBooks(api=upstream),
        resolutions=markets,
        decision_markets=markets,
        markets=markets,
        catalog=markets,
        accounts={one.name: _account(node, one, rng, is_safe) for one in world.accounts if one.name in accounts},
        traded=frozenset(accounts),
        is_safe=is_safe,
        trade_to_order=_Nobody(),
    )


def _account(node: "Node", one: SimAccount, rng: Random, is_safe: Any) -> AccountPorts:
    world, clock = node.world, node.clock()
    lanes: Any = NodeLanes(
        world.venue,
        world.config.live.order_timeout_s,
        node.venue_way,
        lambda: world.submits(node, one.name),
        is_safe if world.asks_at_the_wire else _always,
    )
    api = ClobAccountApi(
        lanes=lanes, reads=lanes, signer=one.signer, funder=one.funder, signature_type=one.signature_type,
        chain_id=CHAIN, clock=clock,
    )  # fmt: skip
    maker = AccountOrderMaker(
        account=one.name, signer=one.signer, funder=one.funder, signature_type=one.signature_type,
        api_key=api.api_key, chain_id=CHAIN, rng=rng,
    )  # fmt: skip
    gate = TokenBucket(rate_per_s=world.config.live.orders_per_s, burst=world.config.live.orders_burst)
    dialer: Any = NodeDialer(world.venue, node.venue_way)
    return AccountPorts(
        account=TradingAccount(name=one.name, venue=api, maker=maker, gate=gate, wallet=one.funder),
        sockets=ClobUserDialer(dialer=dialer, api=api),
    )


def _always() -> bool:
    return True
