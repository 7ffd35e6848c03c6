"""Live trading as a part of the graph: from committed claims to orders followed to their end. Called by `wiring.build`.

sync_writer ─▶ intents ─▶ executor ─▶ venue          user sockets ─▶ fill_watcher ─┐
                  ▲           └─▶ order_events ◀── reconciler ◀── venue ───────────┤
                  │                    └─▶ order_keeper ─▶ PostgreSQL ◀────────────┘
              exit_keeper ◀── obligations ──┘    live_settler ◀── resolutions      logs ─▶ log_writer

Only here are accounts at the venue handed out: to executor (through its sender), fill_watcher, reconciler, exit_keeper (to
cancel) and live_settler (to see what was redeemed).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

import attrs
import trio

from actors.live.book_reader import BookReader
from actors.live.breaker import Breaker
from actors.live.entry_desk import EntryDesk
from actors.live.executor import Executor
from actors.live.exit_keeper import ExitKeeper
from actors.live.fill_watcher import FillWatcher
from actors.live.live_book import LiveBook
from actors.live.live_registry import LiveRegistry
from actors.live.live_settler import LiveSettler
from actors.live.log_writer import LogWriter
from actors.live.manual_desk import ManualDesk
from actors.live.narrator import Narrator
from actors.live.order_keeper import OrderKeeper
from actors.live.order_sender import OrderSender
from actors.live.reconciler import Reconciler
from config.schema import EngineConfig
from engine.live_ports import LivePorts, watch_times
from engine.runtime.channel import Channel, ChannelOutbox
from engine.runtime.supervisor import Child
from protocols.channels import Overflow
from protocols.clock import Random, WallClock
from protocols.live.events import OrderEvent
from protocols.live.orders import LiveIntent
from protocols.live.ports import Applied, LogLine, Settled
from protocols.receipts import Receipt


@attrs.frozen(kw_only=True)
class LiveTrading:
    """Its actors, for those who read their counters, and its part of the graph."""

    registry: LiveRegistry
    book: LiveBook
    reader: BookReader
    breaker: Breaker
    sender: OrderSender
    executor: Executor
    keeper: OrderKeeper
    watchers: Mapping[str, FillWatcher]
    reconciler: Reconciler
    exits: ExitKeeper
    settler: LiveSettler
    logs: LogWriter
    manual: ManualDesk
    claims: ChannelOutbox[LiveIntent]
    """Where whoever commits trades puts the claims that came with them."""
    nudges: Mapping[str, Callable[[Collection[str]], None]]
    """Whom to tell that the feed shows a trade of an account, by its wallet."""
    services: tuple[Child, ...]
    stages: tuple[Child, ...]
    sources: tuple[Child, ...]
    channels: tuple[Channel[Any], ...]

    def committed(self, receipts: Sequence[Receipt]) -> None:
        """Hands on what commit 1 claimed; never waits. What its channel cannot take is read from the database."""
        made = [claim for receipt in receipts for claim in receipt.claims]
        # Who trades the others' accounts finds them in the database.
        claims = [claim for claim in made if self.book.account_of(claim.strategy_id) is not None]
        # Perhaps the word of an earlier commit was lost: then its claims are in the database all the same.
        repeated = not all(receipt.applied for receipt in receipts)
        if (claims and self.claims.send_many_nowait(claims) < len(claims)) or repeated:
            self.executor.missed_some()
        if repeated or any(receipt.exits for receipt in receipts):
            self.exits.look()


def live_trading(config: EngineConfig, io: LivePorts, *, clock: WallClock, rng: Random) -> LiveTrading:
    """Returns the actors of live trading and the channels between them, in flow order."""
    base = _Base(config, io, clock, rng)
    reconciler, watchers = _watching(base)
    sender, executor, manual = _ordering(base, reconciler, watchers)
    exits = ExitKeeper(
        store=io.orders,
        rows=io.exit_rows,
        book=base.book,
        reader=base.reader,
        accounts=base.venues,
        intents=base.exit_intents,
        clock=clock,
        doubt=reconciler.ask,
        missed=executor.missed_some,
    )
    keeper, settler = _booking(base, _Told(exits, Narrator(log=base.told_lines, clock=clock)), executor.missed_some)
    logs = LogWriter(lines=base.log_lines.inbox, store=io.logs, rng=rng)
    return LiveTrading(
        registry=base.registry,
        book=base.book,
        reader=base.reader,
        breaker=base.breaker,
        sender=sender,
        executor=executor,
        keeper=keeper,
        watchers=watchers,
        reconciler=reconciler,
        exits=exits,
        settler=settler,
        logs=logs,
        manual=manual,
        claims=base.claims,
        nudges={account.wallet: watchers[name].nudge for name, account in base.accounts.items()},
        services=(
            Child(name="live_registry", run=base.registry.run),
            Child(name="book_reader", run=base.reader.run),
            Child(name="breaker", run=base.breaker.run),
            Child(name="live_settler", run=settler.run),
        ),
        stages=(
            Child(name="executor", run=executor.run, reads=(base.intents,), writes=(base.sender_events, base.lines)),
            Child(name="order_keeper", run=keeper.run, reads=(base.order_events,), writes=(base.told_lines,)),
            Child(name="log_writer", run=logs.run, reads=(base.log_lines,)),
        ),
        sources=(
            Child(name="reconciler", run=reconciler.run, writes=(base.reconciler_events,)),
            Child(name="fill_watcher", run=_All(watchers).run, writes=(base.watcher_events,)),
            Child(name="exit_keeper", run=exits.run, writes=(base.exit_intents,)),
        ),
        channels=(base.intents, base.order_events, base.log_lines),
    )


class _Base:
    """What everybody leans on: channels with their ends, the memory of live trading, books, accounts."""

    def __init__(self, config: EngineConfig, io: LivePorts, clock: WallClock, rng: Random) -> None:
        self.config, self.io, self.clock, self.rng = config, io, clock, rng
        size = {name: channel.capacity for name, channel in config.channels.items()}
        self.intents = Channel[LiveIntent]("intents", size["intents"], Overflow.DROP_NEWEST)
        self.order_events = Channel[OrderEvent]("order_events", size["order_events"])
        self.log_lines = Channel[LogLine]("log_lines", size["log_lines"], Overflow.DROP_OLDEST)
        self.claims, self.exit_intents = self.intents.outbox(), self.intents.outbox()
        self.reconciler_events, self.watcher_events, self.sender_events = (self.order_events.outbox() for _ in range(3))
        # Each stage that says something has an end of its own: the one that stops first must not silence the other.
        self.lines, self.told_lines = self.log_lines.outbox(), self.log_lines.outbox()
        self.times = watch_times(config.live)
        self.accounts = {name: ports.account for name, ports in io.accounts.items()}
        self.venues = {name: account.venue for name, account in self.accounts.items()}
        self.registry = registry = LiveRegistry(store=io.strategies, config=config.filter, rng=rng, accounts=io.traded)
        self.book = book = LiveBook(registry=registry)
        # Strategies are made and given capital while the engine runs.
        registry.read = lambda table: book.take_balances(
            [one for one in table.balances if one.strategy_id in registry.strategies]
        )
        self.reader = BookReader(upstream=io.books, max_age_s=config.live.max_price_age_ms / 1000)
        self.breaker = Breaker(registry=self.registry, store=io.orders, clock=clock, rng=rng)

    def desk(self) -> EntryDesk:
        """Returns a desk; whoever fetches books for several claims at once needs one of his own."""
        return EntryDesk(
            book=self.book, reader=self.reader, breaker=self.breaker, accounts=self.accounts, clock=self.clock
        )


def _watching(base: _Base) -> tuple[Reconciler, dict[str, FillWatcher]]:
    """Who says what became of orders."""
    reconciler = Reconciler(
        accounts=base.venues,
        events=base.reconciler_events,
        store=base.io.reconciliations,
        book=base.book,
        clock=base.clock,
        rng=base.rng,
        times=base.times,
    )
    watchers = {
        name: FillWatcher(
            account=name,
            sockets=ports.sockets,
            venue=ports.account.venue,
            events=base.watcher_events,
            book=base.book,
            clock=base.clock,
            rng=base.rng,
            times=base.times,
        )
        for name, ports in base.io.accounts.items()
    }
    return reconciler, watchers


def _ordering(
    base: _Base, reconciler: Reconciler, watchers: Mapping[str, FillWatcher]
) -> tuple[OrderSender, Executor, ManualDesk]:
    """Who makes and sends orders."""
    sender = OrderSender(
        accounts=base.accounts,
        events=base.sender_events,
        book=base.book,
        breaker=base.breaker,
        config=base.config.live,
        clock=base.clock,
        trade_to_order=base.io.trade_to_order,
        is_safe=base.io.is_safe,
        sent=lambda account, order_hash: watchers[account].sent(order_hash),
        doubt=reconciler.ask,
        log=base.lines,
    )
    executor = Executor(
        intents=base.intents.inbox,
        store=base.io.orders,
        book=base.book,
        desk=base.desk(),
        sender=sender,
        reconciled=reconciler.reconciled,
        clock=base.clock,
        rng=base.rng,
        log=base.lines,
    )
    manual = ManualDesk(
        store=base.io.manual,
        book=base.book,
        desk=base.desk(),
        accounts=base.venues,
        clock=base.clock,
        offer=executor.offer,
        doubt=reconciler.ask,
    )
    return sender, executor, manual


def _booking(base: _Base, told: "_Told", doubtful: Callable[[], None]) -> tuple[OrderKeeper, LiveSettler]:
    """Who writes money."""
    keeper = OrderKeeper(
        events=base.order_events.inbox,
        store=base.io.orders,
        book=base.book,
        clock=base.clock,
        rng=base.rng,
        changed=told.applied,
        doubtful=doubtful,
    )
    settler = LiveSettler(
        store=base.io.orders,
        redemptions=base.io.redemptions,
        stored=base.io.decision_markets,
        markets=base.io.markets,
        catalog=base.io.catalog,
        resolutions=base.io.resolutions,
        accounts=base.venues,
        book=base.book,
        clock=base.clock,
        rng=base.rng,
        interval_s=base.config.live.settle_interval_s,
        settled=told.settled,
        doubtful=doubtful,
    )
    return keeper, settler


@attrs.frozen
class _Told:
    """Passes on what was committed."""

    exits: ExitKeeper
    narrator: Narrator

    def applied(self, _events: Sequence[OrderEvent], applied: Applied) -> None:
        self.exits.changed(applied.orders, applied.exits)
        self.narrator.applied(applied)

    def settled(self, settled: Settled) -> None:
        self.exits.changed((), settled.exits)
        # Services stop last: when what was settled then is told, the log has been closed.
        with suppress(trio.ClosedResourceError):
            self.narrator.settled(settled)


@attrs.frozen
class _All:
    """The watchers of all accounts as one actor."""

    watchers: Mapping[str, FillWatcher]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            for watcher in self.watchers.values():
                await nursery.start(watcher.run)
            task_status.started()
