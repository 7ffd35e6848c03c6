"""Which jobs there are, and the scheduler that runs them. Beside `wiring.py`, since jobs need no ingest lease."""

from collections.abc import Callable
from typing import Protocol

import attrs

from actors.coverage_board import CoverageBoard
from actors.job_runner import JobRunner
from actors.jobs.alpha_agent import AlphaAgent
from actors.jobs.check_notifications import CheckNotifications
from actors.jobs.cold_poll import ColdPoll
from actors.jobs.copy_prices import RefreshCopyPnl
from actors.jobs.coverage_audit import CoverageAudit
from actors.jobs.ft_resolve import FtResolve
from actors.jobs.ft_snapshot import FtSnapshot
from actors.jobs.live_backup import LtExecute, LtResolve, LtSyncOrderStatus
from actors.jobs.markets_refresh import MarketsRefresh
from actors.jobs.model_watch import ModelWatch
from actors.jobs.reason_counts import ReasonCounts
from actors.jobs.retention import Retention
from actors.jobs.score_traders import ScoreTraders
from actors.jobs.send_welcome_emails import SendWelcomeEmails
from actors.jobs.trader_statistics import TraderStatistics
from actors.jobs.train_model import TrainModel
from actors.late_trades import LateTrades
from actors.polling.poll_figures import PollFigures
from actors.polling.poll_outlets import PollOutlets
from actors.polling.venue_asking import VenueAsking
from actors.polling.wallet_poll import WalletPoll
from actors.scheduler import Scheduler
from actors.tuner_board import TunerBoard
from config.schema import EngineConfig
from config.sources import ConfigInputs
from engine.copyability.side_scoring import SideScoring
from engine.discovery_wiring import DiscoveryPorts, discovery_jobs
from engine.job_places import needs_ingest, places_of
from engine.roles import EVERY_PART, Parts
from engine.side_process import SideDesk
from protocols.clock import Random, WallClock
from protocols.copyability import CopyabilityStore
from protocols.coverage import CoverageStore
from protocols.ft_statistics import ReasonCountStore, SnapshotStore, TraderStatsStore
from protocols.housekeeping import MarketRefreshStore, RetentionStore
from protocols.ingest import MarketCatalog, MarketStore, TradeHistory
from protocols.jobs import Job, JobStore
from protocols.live.passes import LivePasses
from protocols.notifications import NoticeJobStore
from protocols.paper import SettlePass
from protocols.polling import ColdPollStores
from protocols.portfolio import CopyMarkStore
from protocols.score_models import ModelJobStore, ModelWork
from protocols.trader_accounts import TraderAccounts
from protocols.tuner import TunerJobStore
from protocols.tuner_search import TunerSearch

CONCURRENT_MAX = 4
"""Runs of different jobs at once: polling and reading history last for most of an hour, and nobody waits for them."""


class ColdPorts(Protocol):
    """The world behind the cold tier of the wallet pollers."""

    @property
    def accounts(self) -> TraderAccounts: ...
    @property
    def history(self) -> TradeHistory: ...
    @property
    def stores(self) -> ColdPollStores: ...


@attrs.frozen(kw_only=True)
class JobPorts:
    """The world behind the jobs."""

    store: JobStore
    retention: RetentionStore
    refresh: MarketRefreshStore
    markets: MarketStore
    catalog: MarketCatalog
    trader_stats: TraderStatsStore
    reason_counts: ReasonCountStore
    snapshots: SnapshotStore
    coverage: CoverageStore
    history: TradeHistory
    accounts: TraderAccounts
    cold: ColdPorts
    copy_marks: CopyMarkStore
    notices: NoticeJobStore
    discovery: DiscoveryPorts
    models: ModelJobStore
    model_work: ModelWork | None = None
    """Trains and looks after models elsewhere; None: not from this process."""
    tuner: TunerJobStore
    tuner_search: TunerSearch
    tuner_board: TunerBoard = attrs.field(factory=TunerBoard)
    """Where the metrics look."""
    copyability: CopyabilityStore
    live: Callable[[], LivePasses | None] = lambda: None
    """Live trading of this process, where it trades."""
    late_trades: Callable[[], LateTrades | None] = lambda: None
    """The ingest of this process, where it ingests."""
    settling: Callable[[], SettlePass | None] = lambda: None
    """The settler of paper positions, where this process ingests."""
    coverage_board: CoverageBoard = attrs.field(factory=CoverageBoard)
    poll_outlets: Callable[[], PollOutlets | None] = lambda: None
    """The same for what pollers find."""
    cold_figures: PollFigures = attrs.field(factory=PollFigures)
    """Where the metrics look."""
    side: SideDesk = attrs.field(factory=lambda: SideDesk(config=ConfigInputs.of()))
    """Where heavy work is done: the engine's own desk in an engine."""


def jobs_of(config: EngineConfig, io: JobPorts, clock: WallClock) -> list[Job]:
    """Returns every job of the engine."""
    return [
        Retention(store=io.retention, config=config.retention, clock=clock, notices=io.notices),
        MarketsRefresh(due=io.refresh, markets=io.markets, catalog=io.catalog),
        TraderStatistics(store=io.trader_stats, clock=clock),
        ReasonCounts(store=io.reason_counts),
        FtSnapshot(store=io.snapshots, clock=clock),
        RefreshCopyPnl(store=io.copy_marks, clock=clock),
        LtExecute(live=io.live),
        LtSyncOrderStatus(live=io.live),
        LtResolve(live=io.live),
        FtResolve(settle=io.settling),
        CoverageAudit(
            history=io.history,
            accounts=io.accounts,
            store=io.coverage,
            late=io.late_trades,
            config=config.coverage,
            clock=clock,
            board=io.coverage_board,
        ),
        AlphaAgent(store=io.tuner, search=io.tuner_search, board=io.tuner_board, budget_s=config.tuner.timeout_s),
        _cold_poll(config, io, clock),
        CheckNotifications(store=io.notices, clock=clock),
        SendWelcomeEmails(store=io.notices, clock=clock, sends_mail=_sends_mail(config)),
        TrainModel(store=io.models, work=io.model_work),
        ModelWatch(store=io.models, work=io.model_work, config=config.models),
        *discovery_jobs(config, io.discovery, clock, io.live),
        _score_traders(config, io, clock),
    ]


def _score_traders(config: EngineConfig, io: JobPorts, clock: WallClock) -> ScoreTraders:
    scoring = SideScoring(desk=io.side, config=config.copyability, kind="score-traders")
    return ScoreTraders(store=io.copyability, score=scoring.daily, config=config.copyability, clock=clock)


def _cold_poll(config: EngineConfig, io: JobPorts, clock: WallClock) -> ColdPoll:
    venue = VenueAsking(accounts=io.cold.accounts, history=io.cold.history, figures=io.cold_figures)
    return ColdPoll(
        stores=io.cold.stores,
        wallet_poll=WalletPoll(venue=venue, clock=clock),
        outlets=io.poll_outlets,
        config=config.poller.cold,
        clock=clock,
    )


def _sends_mail(config: EngineConfig) -> bool:
    return config.notify.enabled and config.notify.mail_url is not None


def scheduler_of(
    config: EngineConfig,
    io: JobPorts,
    *,
    clock: WallClock,
    rng: Random,
    owner: str,
    holder: str,
    parts: Parts = EVERY_PART,
) -> Scheduler:
    """Returns the scheduler of one process. Raises `ValueError` for a cron expression that makes no sense."""
    wanted = {True: parts.jobs_that_need_ingest, False: parts.jobs}
    return Scheduler(
        jobs=[job for job in jobs_of(config, io, clock) if wanted[needs_ingest(job.name)]],
        settings=config.jobs,
        store=io.store,
        clock=clock,
        rng=rng,
        owner=owner,
        holder=holder,
        lease_ttl_s=config.limits.lease_ttl_s,
        places=places_of(
            ingests=lambda: io.late_trades() is not None,
            settles=lambda: io.settling() is not None,
            polls=lambda: io.poll_outlets() is not None,
            trades_live=lambda: io.live() is not None,
        ),
        concurrent_max=CONCURRENT_MAX,
    )


def runner_of(config: EngineConfig, io: JobPorts) -> JobRunner:
    """Returns what runs a claimed job without a scheduler."""
    return JobRunner(store=io.store, lease_ttl_s=config.limits.lease_ttl_s)
