"""Opens what stands behind the API and the jobs, for as long as the database is there. No ingest lease is needed."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import attrs

from config.notify import channel_urls
from config.schema import EngineConfig
from engine.adapters.job_adapters import JobAdapters, open_job_adapters
from engine.adapters.market_catalog import GammaCatalog
from engine.adapters.notify_sender import NotifyProcess
from engine.adapters.password_hashing import Argon2Hasher
from engine.adapters.postgres.auto_close_store import AutoCloseStore
from engine.adapters.postgres.copy_record_store import PostgresCopyRecords
from engine.adapters.postgres.copyability_store import PostgresCopyabilityReports
from engine.adapters.postgres.coverage_store import PostgresCoverageStore
from engine.adapters.postgres.database import DatabaseOptions, open_connection
from engine.adapters.postgres.decision_market_store import PostgresDecisionMarkets
from engine.adapters.postgres.discover_store import PostgresDiscoverLists
from engine.adapters.postgres.feed_fact_store import PostgresFeedFacts
from engine.adapters.postgres.feed_store import PostgresFeedStore
from engine.adapters.postgres.feed_stream_store import PostgresFeedStreamStore
from engine.adapters.postgres.follow_store import UserFollowStore
from engine.adapters.postgres.ft_report_store import PostgresFtReports
from engine.adapters.postgres.ft_snapshot_store import PostgresSnapshotStore
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.adapters.postgres.live_report_store import LiveReportStore
from engine.adapters.postgres.live_story_store import LiveStoryStore
from engine.adapters.postgres.live_strategy_store import LiveStrategyStore
from engine.adapters.postgres.market_store import PostgresMarketStore
from engine.adapters.postgres.member_store import PostgresMemberStore
from engine.adapters.postgres.model_store import PostgresModelStore
from engine.adapters.postgres.notification_store import PostgresNotificationStore
from engine.adapters.postgres.notification_user_store import NotificationUserStore
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.portfolio_store import PostgresPortfolios
from engine.adapters.postgres.price_store import PostgresPriceStore
from engine.adapters.postgres.session_store import PostgresPasswords, PostgresSessions
from engine.adapters.postgres.signal_store import PostgresSignalStore
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.adapters.postgres.trader_profile_store import PostgresTraderReports
from engine.adapters.postgres.trader_record_store import PostgresTraderRecords
from engine.adapters.postgres.tuner_reports import PostgresTunerReports
from engine.adapters.postgres.tuner_store import PostgresTunerStore
from engine.adapters.postgres.user_store import UserStore
from engine.adapters.postgres.why_store import PostgresWhyStore
from engine.adapters.price_upstream import ClobPrices, GammaPrices
from engine.adapters.upstream import open_upstream
from engine.runtime.traffic import Traffic
from protocols.clock import WallClock

# One connection serves about a thousand pages a second; more of them only cost the database memory.
API_CONNECTIONS = 4
# With the pool's own wait less than 10 s: a server that does not answer must not keep a client waiting for longer.
API_STATEMENT_TIMEOUT_S = 4.0
# A price call carries 100 markets. Gamma allows 30 calls a second (venue.md §6); registry and jobs take up to 10 of them.
GAMMA_RATE_PER_S = 16.0
CLOB_RATE_PER_S = 50.0


@attrs.frozen(kw_only=True)
class ServingAdapters:
    """The stores of the API and the ports of its actors."""

    users: UserStore
    follows: UserFollowStore
    strategies: StrategyStore
    feed: PostgresFeedStore
    feed_facts: PostgresFeedFacts
    feed_stream: PostgresFeedStreamStore
    tokens: UserStore
    prices: GammaPrices
    clob: ClobPrices
    price_store: PostgresPriceStore
    markets: PostgresMarketStore
    catalog: GammaCatalog
    reports: PostgresFtReports
    snapshots: PostgresSnapshotStore
    why: PostgresWhyStore
    live_strategies: LiveStrategyStore
    live_reports: LiveReportStore
    live_stories: LiveStoryStore
    auto_closes: AutoCloseStore
    signals: PostgresSignalStore
    decision_markets: PostgresDecisionMarkets
    records: PostgresTraderRecords
    coverage: PostgresCoverageStore
    models: PostgresModelStore
    tuner: PostgresTunerStore
    tuner_reports: PostgresTunerReports
    portfolios: PostgresPortfolios
    copy_records: PostgresCopyRecords
    traders: PostgresTraderReports
    discover: PostgresDiscoverLists
    copyability: PostgresCopyabilityReports
    job_history: PostgresJobStore
    """What users see of jobs; the leases of `jobs` wait for nobody's pages."""
    jobs: JobAdapters
    outbox: PostgresNotificationStore
    messages: NotifyProcess
    notifications: NotificationUserStore
    """What users see of them."""
    members: PostgresMemberStore
    """What people see of them."""
    sessions: PostgresSessions
    """Of the registry, which polls; its few writes wait for nobody's pages."""
    passwords: PostgresPasswords
    hasher: Argon2Hasher


@asynccontextmanager
async def open_serving_adapters(
    config: EngineConfig, options: DatabaseOptions, traffic: Traffic, clock: WallClock
) -> AsyncIterator[ServingAdapters]:
    """Yields the adapters; each connection is opened when it is needed first."""
    timeout_s = min(options.statement_timeout_s, API_STATEMENT_TIMEOUT_S)
    quick = attrs.evolve(options, statement_timeout_s=timeout_s)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(quick, "api", API_CONNECTIONS))
        # What actors read must not wait behind the pages of users.
        streams, tokens, prices, outbox = [
            await stack.enter_async_context(open_connection(options, name))
            for name in ("feed stream", "tokens", "prices", "notifications")
        ]
        venue = config.venue
        gamma, clob = [
            await stack.enter_async_context(
                open_upstream(
                    name, url, venue, rate_per_s=rate_per_s, traffic=traffic, user="prices", connections_max=4
                )
            )
            for name, url, rate_per_s in (
                ("gamma", venue.gamma_url, GAMMA_RATE_PER_S),
                ("clob", venue.clob_url, CLOB_RATE_PER_S),
            )
        ]
        jobs = await stack.enter_async_context(open_job_adapters(config, options, traffic))
        yield ServingAdapters(
            users=UserStore(pool),
            follows=UserFollowStore(pool),
            feed_facts=PostgresFeedFacts(pool),
            strategies=StrategyStore(pool),
            reports=PostgresFtReports(connection=pool, clock=clock),
            snapshots=PostgresSnapshotStore(pool),
            why=PostgresWhyStore(pool),
            live_strategies=LiveStrategyStore(pool),
            live_reports=LiveReportStore(pool),
            live_stories=LiveStoryStore(pool),
            auto_closes=AutoCloseStore(pool),
            signals=PostgresSignalStore(pool),
            decision_markets=PostgresDecisionMarkets(pool),
            records=PostgresTraderRecords(pool),
            portfolios=PostgresPortfolios(pool),
            copy_records=PostgresCopyRecords(pool),
            traders=PostgresTraderReports(connection=pool, clock=clock),
            discover=PostgresDiscoverLists(connection=pool, clock=clock),
            copyability=PostgresCopyabilityReports(pool),
            feed=PostgresFeedStore(pool),
            feed_stream=PostgresFeedStreamStore(streams),
            tokens=UserStore(tokens),
            coverage=PostgresCoverageStore(pool),
            models=PostgresModelStore(pool),
            tuner=PostgresTunerStore(pool, config.tuner),
            tuner_reports=PostgresTunerReports(pool),
            job_history=PostgresJobStore(pool),
            prices=GammaPrices(api=gamma, rides=traffic.market_rides),
            clob=ClobPrices(api=clob),
            price_store=PostgresPriceStore(reads=pool, writes=prices),
            markets=PostgresMarketStore(prices),
            catalog=GammaCatalog(api=gamma),
            jobs=jobs,
            outbox=PostgresNotificationStore(outbox),
            messages=NotifyProcess(urls=channel_urls(config.notify), timeout_s=config.notify.send_timeout_s),
            notifications=NotificationUserStore(pool),
            members=PostgresMemberStore(pool),
            sessions=PostgresSessions(tokens),
            passwords=PostgresPasswords(pool),
            hasher=Argon2Hasher(),
        )
