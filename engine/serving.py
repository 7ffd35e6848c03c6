"""Serves users for as long as the database is there, with the ingest lease or without."""

from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager

import attrs
import trio

from config.live_trading import accounts_of
from engine.adapters.postgres.database import DatabaseOptions
from engine.adapters.serving import ServingAdapters, open_serving_adapters
from engine.api.admin_routes import admin_routes
from engine.api.auto_close_routes import auto_close_routes
from engine.api.bot_routes import bot_routes
from engine.api.browser import BrowserDoor
from engine.api.cluster_routes import cluster_routes
from engine.api.config_routes import config_routes
from engine.api.copyability_routes import copyability_routes
from engine.api.coverage_routes import coverage_routes
from engine.api.discover_routes import discover_routes
from engine.api.engine_routes import engine_watch_routes
from engine.api.entrance import Entrance
from engine.api.feed_routes import feed_routes
from engine.api.feed_search import FeedSearch
from engine.api.fire_routes import fire_routes
from engine.api.follow_routes import follow_routes
from engine.api.form_tokens import FormTokens
from engine.api.ft_routes import FtReadPorts, ft_read_routes
from engine.api.gate import Gate, rates_of
from engine.api.job_routes import job_routes
from engine.api.lt_control_routes import lt_control_routes
from engine.api.lt_report_bodies import LiveSwitches
from engine.api.lt_report_routes import lt_report_routes
from engine.api.lt_story_routes import lt_story_routes
from engine.api.lt_strategy_routes import lt_strategy_routes
from engine.api.manual_list_routes import manual_list_routes
from engine.api.manual_order_routes import manual_order_routes
from engine.api.market_routes import market_routes
from engine.api.model_routes import model_routes
from engine.api.mount import ApiMount
from engine.api.notification_routes import notification_routes
from engine.api.peer import networks_of
from engine.api.plan_routes import plan_routes
from engine.api.portfolio_routes import portfolio_routes
from engine.api.price_routes import price_routes
from engine.api.route import ApiRoute
from engine.api.session_routes import session_routes
from engine.api.signal_routes import signal_routes
from engine.api.trader_routes import trader_routes
from engine.api.tuner_routes import tuner_routes
from engine.api.user_routes import user_routes
from engine.config_desk import ConfigDesk
from engine.copyability.desk import CopyabilityDesk
from engine.copyability.side_scoring import SideScoring
from engine.engine_watch import EngineWatch
from engine.job_wiring import JobPorts
from engine.live_passes import live_passes
from engine.model_work import SideModelWork
from engine.page_wiring import every_page
from engine.pages.feed_cards import feed_card_routes
from engine.pages.login_pages import login_pages
from engine.pages.mount import PageMount
from engine.plan_desk import PlanDesk
from engine.price_replicas import opened_shared_quotes
from engine.reload import Reloader
from engine.roles import EVERY_PART, Parts
from engine.running import Engine
from engine.runtime.supervisor import Child
from engine.service_wiring import ServicePorts, Services, build_services
from engine.side_process import SideDesk
from engine.tuner_process import SideTunerSearch
from protocols.clock import Random, WallClock
from protocols.instruments import Observer
from protocols.live.operating import LiveJobs, ManualOrders


@attrs.frozen(kw_only=True)
class ServingContext:
    """What the process as a whole gives to serving."""

    mount: ApiMount
    pages: PageMount
    reloader: Reloader
    price_age: Observer
    clock: WallClock
    rng: Random
    secret_rng: Random
    """A `random.SystemRandom`: it makes tokens."""
    owner: str
    holder: str
    is_money_real: bool
    """Either switch of live trading is on."""
    live_switch: bool = False
    """The second switch of live trading, given at start."""
    side: SideDesk = attrs.field(
        default=attrs.Factory(lambda self: SideDesk(config=self.reloader.inputs), takes_self=True)
    )
    """Where heavy work is done: one for the whole process, which is what bounds it."""
    plans: PlanDesk = attrs.field(
        default=attrs.Factory(lambda self: PlanDesk(side=self.side, rng=self.secret_rng), takes_self=True)
    )
    parts: Parts = EVERY_PART
    """What of it all this process runs."""


@asynccontextmanager
async def serving(engine: Engine, options: DatabaseOptions, context: ServingContext) -> AsyncIterator[Services]:
    """Runs the services and answers the API's routes; without it they are answered 503."""
    async with (
        open_serving_adapters(engine.config, options, engine.traffic, context.clock) as io,
        opened_shared_quotes(engine.config, is_wanted=context.parts.api) as shared_quotes,
        trio.open_nursery() as nursery,
    ):
        ports = attrs.evolve(service_ports(io, context), shared_quotes=shared_quotes)
        children, services = build_services(engine.config, ports)
        watch = EngineWatch(engine=engine, clock=context.clock)
        beside = (Child(name="engine_watch", run=watch.run), Child(name="plan_desk", run=context.plans.run))
        watch.serving = children = (*children, *beside)
        await nursery.start(engine.supervisor.run_group, "serving", children)
        if context.parts.api:
            _install(engine, io, services, watch, context)
            # Trades that wait for a market ask along in the next call for prices, which goes out at once for them.
            engine.traffic.market_rides.hail = services.price_cache.hail
        engine.services = services
        try:
            yield services
        finally:
            context.pages.remove()
            context.mount.remove()
            nursery.cancel_scope.cancel()


def _install(
    engine: Engine, io: ServingAdapters, services: Services, watch: EngineWatch, context: ServingContext
) -> None:
    """Answers the routes of the API and the pages from now on."""
    http = engine.config.http
    door = BrowserDoor(find=services.session_registry.find, trusted_proxies=networks_of(http.trusted_proxies))
    gate = Gate(services.token_registry.find, rates_of(http), streams_max=http.streams_max, door=door)
    context.reloader.subscribers.append(lambda config: gate.set_rates(rates_of(config.http)))
    routes = [*engine_routes(engine, io, services, context), *engine_watch_routes(watch)]
    context.mount.install(routes, gate)
    forms = FormTokens(door=door, clock=context.clock, secret_rng=context.secret_rng)
    entrance = Entrance(login=services.web_login, door=door, forms=forms)
    context.pages.install(every_page, routes, gate, login_pages(context.pages, entrance))


def service_ports(io: ServingAdapters, context: ServingContext) -> ServicePorts:
    """Returns what the services need of the world."""
    return ServicePorts(
        tokens=io.tokens,
        feed=io.feed_stream,
        prices=io.prices,
        price_fallback=io.clob,
        price_store=io.price_store,
        price_age=context.price_age,
        books=io.clob,
        markets=io.markets,
        catalog=io.catalog,
        jobs=JobPorts(
            **attrs.asdict(io.jobs, recurse=False),
            side=context.side,
            model_work=SideModelWork(side=context.side, config=context.reloader.live.view.models),
            tuner_search=SideTunerSearch(side=context.side, config=context.reloader.live.view.tuner),
        ),
        outbox=io.outbox,
        messages=io.messages,
        clock=context.clock,
        rng=context.rng,
        owner=context.owner,
        holder=context.holder,
        sessions=io.sessions,
        passwords=io.passwords,
        hasher=io.hasher,
        secret_rng=context.secret_rng,
        is_money_real=context.is_money_real,
        parts=context.parts,
    )


def engine_routes(engine: Engine, io: ServingAdapters, services: Services, context: ServingContext) -> list[ApiRoute]:
    """Returns every route of the API. Those that are asked most often come first."""
    clock = context.clock
    search = FeedSearch(
        store=io.feed, facts=io.feed_facts, markets=io.decision_markets, signals=io.signals, clock=clock
    )
    return [
        *price_routes(services.price_cache),
        *market_routes(services.price_cache, services.book_cache, services.market_ensurer),
        *feed_routes(search, services.feed_hub, engine.config.retention),
        *feed_card_routes(services.feed_hub, search, context.pages.renderer),
        *follow_routes(io.follows),
        *bot_routes(io.strategies),
        *plan_routes(io.strategies, context.plans),
        *ft_read_routes(_ft_ports(engine, io, services, clock)),
        *signal_routes(io.signals),
        *trader_routes(io.traders),
        *discover_routes(io.discover, clock),
        *copyability_routes(_copyability_desk(engine, io, context), io.traders),
        *fire_routes(io.discover, clock),
        *_live_routes(engine, io, context),
        *_portfolio_routes(engine, io, services, clock),
        *user_routes(
            io.users, services.token_registry, clock, context.secret_rng, services.session_registry.forget_user
        ),
        *session_routes(services.web_login, services.login_urls),
        *job_routes(
            store=io.job_history, settings=engine.config.jobs, clock=clock, runs_here=services.scheduler.can_run
        ),
        *coverage_routes(io.coverage, clock),
        *model_routes(io.models, score_file=engine.config.forward_testing.score_file),
        *tuner_routes(io.tuner_reports, io.tuner),
        *notification_routes(io.notifications, services.notifier.wake),
        *admin_routes(context.reloader),
        *cluster_routes(io.members, context.owner),
        *config_routes(ConfigDesk(context.reloader, clock)),
    ]


def _copyability_desk(engine: Engine, io: ServingAdapters, context: ServingContext) -> CopyabilityDesk:
    scoring = SideScoring(desk=context.side, config=engine.config.copyability, kind="copyability")
    return CopyabilityDesk(reports=io.copyability, scoring=scoring)


def _live_routes(engine: Engine, io: ServingAdapters, context: ServingContext) -> list[ApiRoute]:
    accounts = {name: one.user for name, one in engine.config.live.accounts.items()}
    switches = LiveSwitches(enabled=engine.config.live.enabled, started=context.live_switch)

    def jobs() -> LiveJobs | None:
        live = engine.live
        if live is None:
            return None
        return LiveJobs(compare=live.reconciler.pass_once, settle=live.settler.pass_once, look=live_passes(live).look)

    def desk() -> ManualOrders | None:
        return None if engine.live is None else engine.live.manual

    def paused_s(account: str) -> float | None:
        return None if engine.live is None else engine.live.breaker.paused_s(account)

    return [
        *lt_strategy_routes(io.live_strategies, io.live_reports, io.strategies, accounts),
        *lt_report_routes(
            io.live_reports,
            accounts=accounts,
            is_trading=lambda: engine.live is not None,
            paused_s=paused_s,
            switches=switches,
        ),
        *lt_story_routes(io.live_stories, io.live_reports, context.clock),
        *lt_control_routes(io.live_strategies, jobs),
        *manual_order_routes(desk, accounts),
        *manual_list_routes(io.live_reports, desk, accounts),
        *auto_close_routes(io.auto_closes, accounts),
    ]


def _portfolio_routes(engine: Engine, io: ServingAdapters, services: Services, clock: WallClock) -> list[ApiRoute]:
    return portfolio_routes(
        io.portfolios, io.copy_records, services.price_cache, clock,
        accounts_of=lambda user_name: accounts_of(engine.config.live, user_name),
    )  # fmt: skip


def _ft_ports(engine: Engine, io: ServingAdapters, services: Services, clock: WallClock) -> FtReadPorts:
    def settle_now() -> Awaitable[Mapping[str, int]] | None:
        settle = engine.settle_paper
        return None if settle is None else settle()

    return FtReadPorts(
        reports=io.reports,
        snapshots=io.snapshots,
        quotes=services.price_cache,
        why=io.why,
        markets=io.decision_markets,
        records=io.records,
        settle_now=settle_now,
        clock=clock,
    )
