"""What serves users, with the ingest lease or without: prices, feed, tokens, jobs, notices. Beside `wiring.py`.

requests ─▶ token_registry, price_cache ─▶ answers        clock ─▶ scheduler ─▶ jobs        outbox ─▶ notifier ─▶ channels
"""

import attrs
import trio

from actors.book_cache import BookCache
from actors.coverage_board import CoverageBoard
from actors.feed_hub import FeedHub
from actors.late_trades import LateTrades
from actors.login_urls import LoginUrls
from actors.market_ensurer import MarketEnsurer
from actors.notifier import Notifier
from actors.polling.poll_figures import PollFigures
from actors.polling.poll_outlets import PollOutlets
from actors.price_cache import PriceCache
from actors.price_sharing import PriceSharing
from actors.scheduler import Scheduler
from actors.session_registry import SessionRegistry
from actors.token_registry import TokenRegistry
from actors.tuner_board import TunerBoard
from actors.web_login import WebLogin
from config.login_urls import login_url_allowed
from config.notify import channel_rules
from config.schema import EngineConfig
from engine.job_wiring import JobPorts, scheduler_of
from engine.roles import EVERY_PART, Parts
from engine.runtime.supervisor import Child
from protocols.clock import Random, WallClock
from protocols.feed import FeedStreamStore
from protocols.finder import Finder
from protocols.ingest import MarketCatalog, MarketStore
from protocols.instruments import Observer
from protocols.live.passes import LivePasses
from protocols.notifications import MessageSender, NotificationStore
from protocols.paper import SettlePass
from protocols.prices import BookUpstream, PriceFallback, PriceStore, PriceUpstream
from protocols.sessions import PasswordHasher, PasswordStore, SessionStore
from protocols.shared_quotes import SharedQuotes
from protocols.users import TokenStore

CLAIM_FACTOR = 2
"""A claim outlives the process that sends, and the writing down of what became of it."""


@attrs.frozen(kw_only=True)
class ServicePorts:
    """The world behind what serves users. `owner` is unique to this process, `holder` says who that is."""

    tokens: TokenStore
    feed: FeedStreamStore
    prices: PriceUpstream
    price_fallback: PriceFallback
    price_store: PriceStore
    price_age: Observer
    books: BookUpstream
    markets: MarketStore
    catalog: MarketCatalog
    jobs: JobPorts
    outbox: NotificationStore
    messages: MessageSender
    clock: WallClock
    rng: Random
    owner: str
    holder: str
    sessions: SessionStore
    passwords: PasswordStore
    hasher: PasswordHasher
    secret_rng: Random
    """A `random.SystemRandom`: it makes the secrets of sessions."""
    is_money_real: bool
    """Either switch of live trading is on: nobody gets far without a password then."""
    parts: Parts = EVERY_PART
    """What of it all this process runs."""
    shared_quotes: SharedQuotes | None = None
    """None: prices are shared with no other engine."""


@attrs.frozen(kw_only=True)
class Services:
    """What serves users, with the ingest lease or without."""

    token_registry: TokenRegistry
    feed_hub: FeedHub
    price_cache: PriceCache
    book_cache: BookCache
    market_ensurer: MarketEnsurer
    scheduler: Scheduler
    notifier: Notifier
    live_passes: Finder[LivePasses]
    """To be told where live trading is found, once there is any."""
    late_trades: Finder[LateTrades]
    """The same for the ingest."""
    settling: Finder[SettlePass]
    """The same for the settler of paper positions."""
    coverage: CoverageBoard
    poll_outlets: Finder[PollOutlets]
    """The same for what pollers find."""
    tuner: TunerBoard
    """What the tuner did in this process."""
    cold_figures: PollFigures
    """What the cold tier of the wallet pollers did in this process."""
    session_registry: SessionRegistry
    login_urls: LoginUrls
    web_login: WebLogin


def build_services(config: EngineConfig, io: ServicePorts) -> tuple[tuple[Child, ...], Services]:
    """Returns what serves users. Raises `ValueError` for a cron expression that makes no sense."""
    token_registry = TokenRegistry(store=io.tokens, clock=io.clock, rng=io.rng, bootstrap=config.http.admin_token)
    feed_hub = FeedHub(store=io.feed, rng=io.rng, clients_max=config.http.streams_max)
    price_cache = PriceCache(
        upstream=io.prices,
        fallback=io.price_fallback,
        store=io.price_store,
        config=config.prices,
        clock=io.clock,
        rng=io.rng,
        ages=io.price_age,
        sharing=None if io.shared_quotes is None else PriceSharing(store=io.shared_quotes, name=io.owner),
    )
    live_passes, late_trades, settling = Finder[LivePasses](), Finder[LateTrades](), Finder[SettlePass]()
    jobs = attrs.evolve(io.jobs, live=live_passes.current, late_trades=late_trades.current, settling=settling.current)
    poll_outlets = Finder[PollOutlets]()
    jobs = attrs.evolve(jobs, poll_outlets=poll_outlets.current)
    scheduler = scheduler_of(config, jobs, clock=io.clock, rng=io.rng, owner=io.owner, holder=io.holder, parts=io.parts)
    notifier = Notifier(
        store=io.outbox,
        sender=io.messages,
        channels=channel_rules(config.notify),
        clock=io.clock,
        rng=io.rng,
        lease_s=CLAIM_FACTOR * config.notify.send_timeout_s,
        window_s=config.notify.digest_window_s,
        settings_url=config.notify.public_url,
    )
    session_registry, login_urls, web_login = _login(config, io)
    # Who serves nobody reads no feed, no prices and no sessions, and who runs no jobs has nothing to time.
    children = tuple(
        child
        for child, runs_here in (
            (Child(name="token_registry", run=token_registry.run), io.parts.api),
            (Child(name="feed_hub", run=feed_hub.run), io.parts.api),
            (Child(name="price_cache", run=price_cache.run), io.parts.api),
            (Child(name="scheduler", run=scheduler.run), io.parts.any_job),
            (Child(name="notifier", run=notifier.run), io.parts.notices),
            (Child(name="session_registry", run=session_registry.run), io.parts.api),
        )
        if runs_here
    )
    services = Services(
        token_registry=token_registry,
        feed_hub=feed_hub,
        price_cache=price_cache,
        book_cache=BookCache(upstream=io.books, clock=io.clock),
        market_ensurer=MarketEnsurer(store=io.markets, catalog=io.catalog),
        scheduler=scheduler,
        notifier=notifier,
        live_passes=live_passes,
        late_trades=late_trades,
        settling=settling,
        coverage=jobs.coverage_board,
        tuner=jobs.tuner_board,
        poll_outlets=poll_outlets,
        cold_figures=jobs.cold_figures,
        session_registry=session_registry,
        login_urls=login_urls,
        web_login=web_login,
    )
    return children, services


def _login(config: EngineConfig, io: ServicePorts) -> tuple[SessionRegistry, LoginUrls, WebLogin]:
    registry = SessionRegistry(store=io.sessions, clock=io.clock, rng=io.rng, is_money_real=io.is_money_real)
    urls = LoginUrls(
        is_allowed=login_url_allowed(config.http, is_money_real=io.is_money_real),
        secret_rng=io.secret_rng,
        now_s=trio.current_time,
    )
    login = WebLogin(
        sessions=io.sessions,
        passwords=io.passwords,
        registry=registry,
        hasher=io.hasher,
        urls=urls,
        clock=io.clock,
        secret_rng=io.secret_rng,
    )
    return registry, urls, login
