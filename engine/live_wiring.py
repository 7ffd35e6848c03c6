"""Live trading as a part of the graph: from committed claims to orders that are followed to their end. Called by `wiring.build`.

sync_writer ─▶ intents ─▶ executor ─▶ venue          user sockets ─▶ fill_watcher ─┐
                  ▲           └─▶ order_events ◀── reconciler ◀── venue ───────────┤
                  │                    └─▶ order_keeper ─▶ PostgreSQL ◀────────────┘
              exit_keeper ◀── obligations ──┘    live_settler ◀── resolutions      logs ─▶ log_writer

Only here are accounts at the venue handed out: to executor (through its sender), fill_watcher, reconciler, exit_keeper (to
cancel) and live_settler (to see what was redeemed).
"""

from collections.abc import Mapping, Sequence
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
from actors.live.order_keeper import OrderKeeper
from actors.live.order_sender import OrderSender
from actors.live.reconciler import Reconciler
from config.live_trading import LiveTradingConfig
from config.schema import EngineConfig
from engine.runtime.channel import Channel, ChannelOutbox
from engine.runtime.supervisor import Child
from protocols.channels import Overflow
from protocols.clock import Random, WallClock
from protocols.ingest import MarketCatalog, MarketStore
from protocols.instruments import Observer
from protocols.live.events import OrderEvent
from protocols.live.market import OrderBooks
from protocols.live.orders import LiveIntent
from protocols.live.ports import Applied, LiveOrderStore, LogLine, LogStore, Settled, TradingAccount
from protocols.live.settings import LiveTableStore
from protocols.live.watching import ExitRows, ReconciliationStore, RedemptionStore, UserSocketDialer, WatchTimes
from protocols.paper import DecisionMarkets, Resolutions
from protocols.receipts import Receipt


@attrs.frozen(kw_only=True)
class AccountPorts:
    """One account at the venue."""

    account: TradingAccount
    sockets: UserSocketDialer


@attrs.frozen(kw_only=True)
class LivePorts:
    """The world behind live trading."""

    strategies: LiveTableStore
    orders: LiveOrderStore
    logs: LogStore
    reconciliations: ReconciliationStore
    redemptions: RedemptionStore
    exit_rows: ExitRows
    books: OrderBooks
    resolutions: Resolutions
    decision_markets: DecisionMarkets
    markets: MarketStore
    catalog: MarketCatalog
    accounts: Mapping[str, AccountPorts]
    trade_to_order: Observer


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
    claims: ChannelOutbox[LiveIntent]
    """Where whoever commits trades puts the claims that came with them."""
    services: tuple[Child, ...]
    stages: tuple[Child, ...]
    sources: tuple[Child, ...]
    channels: tuple[Channel[Any], ...]

    def committed(self, receipts: Sequence[Receipt]) -> None:
        """Hands on what commit 1 claimed; never waits. What its channel cannot take is read from the database."""
        claims = [claim for receipt in receipts for claim in receipt.claims]
        if claims and self.claims.send_many_nowait(claims) < len(claims):
            self.executor.missed_some()
        if any(receipt.exits for receipt in receipts):
            self.exits.look()


def live_trading(config: EngineConfig, io: LivePorts, *, clock: WallClock, rng: Random) -> LiveTrading:
    """Returns the actors of live trading and the channels between them."""
    intents = Channel[LiveIntent]("intents", config.channels["intents"].capacity, Overflow.DROP_NEWEST)
    order_events = Channel[OrderEvent]("order_events", config.channels["order_events"].capacity)
    log_lines = Channel[LogLine]("log_lines", config.channels["log_lines"].capacity, Overflow.DROP_OLDEST)
    accounts = {name: ports.account for name, ports in io.accounts.items()}
    venues = {name: account.venue for name, account in accounts.items()}
    times = watch_times(config.live)

    registry = LiveRegistry(store=io.strategies, config=config.filter, rng=rng)
    book = LiveBook(registry=registry)
    reader = BookReader(upstream=io.books, max_age_s=config.live.max_price_age_ms / 1000)
    breaker = Breaker(registry=registry, store=io.orders, clock=clock, rng=rng)
    desk = EntryDesk(book=book, reader=reader, breaker=breaker, accounts=accounts, clock=clock)
    reconciler_events, watcher_events, sender_events = (order_events.outbox() for _ in range(3))
    reconciler = Reconciler(
        accounts=venues,
        events=reconciler_events,
        store=io.reconciliations,
        book=book,
        clock=clock,
        rng=rng,
        times=times,
    )
    watchers = {
        name: FillWatcher(
            account=name,
            sockets=ports.sockets,
            venue=ports.account.venue,
            events=watcher_events,
            book=book,
            clock=clock,
            rng=rng,
            times=times,
        )
        for name, ports in io.accounts.items()
    }
    sender_lines = log_lines.outbox()
    sender = OrderSender(
        accounts=accounts,
        events=sender_events,
        book=book,
        breaker=breaker,
        config=config.live,
        clock=clock,
        trade_to_order=io.trade_to_order,
        sent=lambda account, order_hash: watchers[account].sent(order_hash),
        doubt=reconciler.ask,
        log=sender_lines,
    )
    executor = Executor(
        intents=intents.inbox,
        store=io.orders,
        book=book,
        desk=desk,
        sender=sender,
        reconciled=reconciler.reconciled,
        clock=clock,
        rng=rng,
        log=sender_lines,
    )
    exit_intents, claims = intents.outbox(), intents.outbox()
    exits = ExitKeeper(
        store=io.orders,
        rows=io.exit_rows,
        book=book,
        reader=reader,
        accounts=venues,
        intents=exit_intents,
        clock=clock,
        doubt=reconciler.ask,
        missed=executor.missed_some,
    )
    told = _Told(exits)
    keeper = OrderKeeper(
        events=order_events.inbox, store=io.orders, book=book, clock=clock, rng=rng, changed=told.applied
    )
    settler = LiveSettler(
        store=io.orders,
        redemptions=io.redemptions,
        stored=io.decision_markets,
        markets=io.markets,
        catalog=io.catalog,
        resolutions=io.resolutions,
        accounts=venues,
        book=book,
        clock=clock,
        rng=rng,
        interval_s=config.live.settle_interval_s,
        settled=told.settled,
    )
    logs = LogWriter(lines=log_lines.inbox, store=io.logs, rng=rng)
    return LiveTrading(
        registry=registry,
        book=book,
        reader=reader,
        breaker=breaker,
        sender=sender,
        executor=executor,
        keeper=keeper,
        watchers=watchers,
        reconciler=reconciler,
        exits=exits,
        settler=settler,
        logs=logs,
        claims=claims,
        services=(
            Child(name="live_registry", run=registry.run),
            Child(name="book_reader", run=reader.run),
            Child(name="breaker", run=breaker.run),
            Child(name="live_settler", run=settler.run),
        ),
        stages=(
            Child(name="executor", run=executor.run, reads=(intents,), writes=(sender_events, sender_lines)),
            Child(name="order_keeper", run=keeper.run, reads=(order_events,)),
            Child(name="log_writer", run=logs.run, reads=(log_lines,)),
        ),
        sources=(
            Child(name="reconciler", run=reconciler.run, writes=(reconciler_events,)),
            Child(name="fill_watcher", run=_All(watchers).run, writes=(watcher_events,)),
            Child(name="exit_keeper", run=exits.run, writes=(exit_intents,)),
        ),
        channels=(intents, order_events, log_lines),
    )


def watch_times(live: LiveTradingConfig) -> WatchTimes:
    """Returns how patiently orders are watched."""
    return WatchTimes(
        poll_s=live.poll_interval_ms / 1000,
        poll_max_s=live.poll_max_s,
        interval_s=live.reconcile_interval_s,
        not_found_interval_s=live.not_found_interval_s,
        in_flight_s=live.in_flight_s,
        lookups_per_s=live.lookups_per_s,
    )


@attrs.frozen
class _Told:
    """Passes on what was committed."""

    exits: ExitKeeper

    def applied(self, _events: Sequence[OrderEvent], applied: Applied) -> None:
        self.exits.changed(applied.orders, applied.exits)

    def settled(self, settled: Settled) -> None:
        self.exits.changed((), settled.exits)


@attrs.frozen
class _All:
    """The watchers of all accounts as one actor."""

    watchers: Mapping[str, FillWatcher]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            for watcher in self.watchers.values():
                await nursery.start(watcher.run)
            task_status.started()
