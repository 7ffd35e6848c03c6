"""Deciding and trading, side by side in one process or in two: what decisions know of live strategies.

In one process claims go from the commit to the executor over a channel. In two they go through the database: who decides
commits them and rings; who trades holds the leases of accounts, looks for claims of these, and hears the bell.

    mirror_view ── commit 1, NOTIFY ──▶ claim_watch ─▶ executor, exit_keeper
"""

from collections.abc import Callable, Sequence

import attrs

from actors.live.claim_watch import ClaimWatch
from actors.live.live_registry import LiveRegistry
from actors.live.mirror_view import MirrorView
from actors.rules.live.signals import Mirrors
from config.schema import EngineConfig
from engine.live_wiring import LiveTrading
from engine.runtime.supervisor import Child
from protocols.clock import Random
from protocols.live.elsewhere import HeldCopyStore, OpenWork
from protocols.live.holdings import LiveHoldings
from protocols.live.orders import LiveIntent
from protocols.live.settings import LiveTableStore
from protocols.receipts import Receipt


@attrs.frozen(kw_only=True)
class LiveSide:
    """What decisions have to know of live trading, whoever trades."""

    mirrors: Mirrors
    holdings: LiveHoldings
    committed: Callable[[Sequence[Receipt]], None]
    """Told what became of decisions, before anybody else; never waits."""
    warm: Callable[[Sequence[LiveIntent]], None] = lambda _intents: None
    """Told claims that are about to be committed; never waits."""
    services: tuple[Child, ...] = ()

    def told_before(self, others: Callable[[Sequence[Receipt]], None]) -> Callable[[Sequence[Receipt]], None]:
        """Returns who hears what became of decisions: claims go on first, an order is waiting for them."""

        def told(receipts: Sequence[Receipt]) -> None:
            self.committed(receipts)
            others(receipts)

        return told


@attrs.frozen(kw_only=True)
class MirrorPorts:
    """The world behind deciding for accounts that are traded elsewhere."""

    strategies: LiveTableStore
    held: HeldCopyStore


def side_of(
    config: EngineConfig, live: LiveTrading | None, mirrors: MirrorPorts | None, *, rng: Random
) -> LiveSide | None:
    """Returns the side of whoever trades; None where nobody does."""
    if live is not None:
        return traded_here(live)
    return None if mirrors is None else traded_elsewhere(config, mirrors, rng=rng)


def traded_here(live: LiveTrading) -> LiveSide:
    """Returns the side of accounts that this process trades itself."""
    return LiveSide(
        mirrors=live.registry.mirrors,
        holdings=live.book,
        committed=live.committed,
        warm=live.executor.desk.glance.warm,
    )


def traded_elsewhere(config: EngineConfig, io: MirrorPorts, *, rng: Random) -> LiveSide:
    """Returns the side of accounts that other processes trade."""
    registry = LiveRegistry(store=io.strategies, config=config.filter, rng=rng)
    view = MirrorView(registry=registry, store=io.held, rng=rng)
    return LiveSide(
        mirrors=registry.mirrors,
        holdings=view,
        committed=view.committed,
        services=(Child(name="live_registry", run=registry.run), Child(name="mirror_view", run=view.run)),
    )


@attrs.frozen
class ClaimWatching:
    """Who finds what other processes have committed, as a part of the graph, and the bell that wakes him."""

    child: Child
    ring: Callable[[], None]


def claim_watch(live: LiveTrading, store: OpenWork, *, rng: Random) -> ClaimWatching:
    """Returns who finds what other processes have committed for accounts that are traded here."""

    def found() -> None:
        live.executor.missed_some()
        live.exits.look()

    watch = ClaimWatch(store=store, found=found, rng=rng)
    # A source without anything to say: nobody here puts claims into the channel but who sells.
    return ClaimWatching(Child(name="claim_watch", run=watch.run, writes=(live.claims,)), watch.ring)
