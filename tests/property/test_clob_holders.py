"""Who can reach the venue's order API: found by walking the wired graph, so that a new holder does not go unnoticed."""

import types
from collections.abc import Iterator
from typing import Any

import attrs
from property.fake_stream import FakeVenue, VenueClock
from property.ring_world import RingWorld

from config.schema import EngineConfig
from engine.live_ports import AccountPorts, LivePorts
from engine.runtime.loop_lag import LoopLag
from engine.runtime.process_gauges import RuntimeGauges
from engine.wiring import build
from protocols.clock import Random
from protocols.live.ports import TradingAccount

ORDERS, BOOKS = "orders", "books"
HOLDERS = {
    ORDERS: {"executor", "fill_watcher", "reconciler", "exit_keeper", "live_settler"},
    BOOKS: {"book_reader"},
}
"""exit_keeper cancels buys of what has to be sold, live_settler asks whether a position was redeemed."""


@attrs.frozen(eq=False)
class Port:
    """Stands for a part of the world; nothing calls it, since nothing runs."""

    name: str


def live_ports() -> LivePorts:
    account: Any = Port(ORDERS)
    other: Any = Port("other")
    books: Any = Port(BOOKS)
    trading = TradingAccount(name="main", venue=account, maker=other, gate=other, wallet="0x" + "a" * 40)
    names = {field.name for field in attrs.fields(LivePorts)} - {"accounts", "books"}
    return LivePorts(
        **dict.fromkeys(names, other), books=books, accounts={"main": AccountPorts(account=trading, sockets=other)}
    )


def parts(thing: Any) -> Iterator[Any]:
    """What a thing holds: fields, items, the owner of a bound method, the cells of a function."""
    if isinstance(thing, types.MethodType):
        yield thing.__self__
    elif isinstance(thing, types.FunctionType):
        for cell in thing.__closure__ or ():
            yield cell.cell_contents
    elif isinstance(thing, dict):
        yield from thing.values()
    elif isinstance(thing, (list, tuple, set, frozenset)):
        yield from thing
    elif attrs.has(type(thing)):
        for field in attrs.fields(type(thing)):
            yield getattr(thing, field.name, None)
    elif type(thing).__module__.partition(".")[0] in ("actors", "engine"):
        yield from vars(thing).values()


def reachable(start: Any, others: set[int]) -> set[str]:
    """Names of ports that are reached without asking another actor."""
    found, seen, todo = set[str](), {id(start)}, [start]
    while todo:
        for part in parts(todo.pop()):
            if isinstance(part, Port):
                found.add(part.name)
            elif id(part) not in seen and id(part) not in others:
                seen.add(id(part))
                todo.append(part)
    return found


def test_only_those_who_need_it_hold_the_venues_order_api():
    world = RingWorld(seconds=1, venue=FakeVenue([]))
    io = attrs.evolve(world._adapters(), live=live_ports(), clock=VenueClock(), rng=Random(1))
    gauges = RuntimeGauges(loop_lag=LoopLag(), memory_mb=0, channels_of=lambda: ())
    graph, actors = build(EngineConfig(), io, gauges)
    assert actors.live is not None
    owners = {child.name: child.run.__self__ for child in (*graph.services, *graph.stages, *graph.sources)}
    # Watchers of accounts are the actor; `fill_watcher` is only what runs them.
    watchers = list(actors.live.watchers.values())
    # sync_writer tells live trading as a whole what was committed.
    identities = {id(owner) for owner in [*owners.values(), *watchers, actors.live]}
    holders: dict[str, set[str]] = {ORDERS: set(), BOOKS: set()}
    for name, owner in [*owners.items(), *(("fill_watcher", watcher) for watcher in watchers)]:
        for port in reachable(owner, identities - {id(owner)}) & holders.keys():
            holders[port].add(name)
    assert holders == HOLDERS
