"""Every setting of the engine, with its default, allowed range and meaning.

A class a section; the unit stands in the name. `polycopy config schema` prints this file as a table.
"""

import re

import attrs

from config.cluster import ClusterConfig, role_problems
from config.copyability import CopyabilityConfig
from config.coverage import CoverageConfig
from config.discovery import DiscoveryConfig
from config.field import choice, named_sections, number, secret, section, text, whole
from config.http import HttpConfig
from config.jobs import JobConfig, RetentionConfig, default_jobs
from config.live_trading import LiveTradingConfig, account_problems
from config.markets import MarketsConfig
from config.notify import NotifyConfig, notify_problems
from config.poller import PollerConfig
from config.redis import MEMORY, REDIS, RedisConfig, redis_problems
from config.scoring import ModelsConfig
from config.secrets import Secret
from config.tuner import TunerConfig

_WS_URL = re.compile(r"wss?://[A-Za-z0-9.\-\[\]:]+(/[\w./-]*)?")
_HTTP_URL = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+(/[\w./-]*)?")


def _ws_url(default: str, doc: str) -> str:
    allowed = "a ws:// or wss:// address"
    return text(default, allowed=allowed, check=lambda value: bool(_WS_URL.fullmatch(value)), doc=doc)  # type: ignore[no-any-return]


def _http_url(default: str, doc: str) -> str:
    allowed = "an http:// or https:// address without a query"
    return text(default, allowed=allowed, check=lambda value: bool(_HTTP_URL.fullmatch(value)), doc=doc)  # type: ignore[no-any-return]


def _path(doc: str) -> str:
    return text("", allowed="a path, or empty for the default place", check=lambda value: "\0" not in value, doc=doc)  # type: ignore[no-any-return]


@attrs.frozen(kw_only=True)
class DatabaseConfig:
    """Where trades are kept. Without `url` the engine runs its own embedded server."""

    url: Secret | None = secret(doc="postgresql:// address of a server from version 15 on; empty: the embedded server")
    direct_url: Secret | None = secret(doc="the same server past a pooler, for NOTIFY; empty: same as url")
    data_dir: str = _path("where the embedded server keeps its files")
    connect_timeout_s: float = number(10, at_least=0.5, at_most=120, doc="longest wait for a connection")
    statement_timeout_s: float = number(
        30, at_least=1, at_most=600, doc="longest wait for an answer before reconnecting"
    )


@attrs.frozen(kw_only=True)
class VenueConfig:
    """Addresses of the venue; each may point to a simulator on loopback."""

    rtds_url: str = _ws_url("wss://ws-live-data.polymarket.com", "real-time data stream")
    clob_ws_url: str = _ws_url("wss://ws-subscriptions-clob.polymarket.com", "order book sockets")
    clob_url: str = _http_url("https://clob.polymarket.com", "order book API")
    gamma_url: str = _http_url("https://gamma-api.polymarket.com", "market metadata API")
    data_url: str = _http_url("https://data-api.polymarket.com", "trade history API")
    chain_id: int = whole(137, at_least=1, at_most=2**31, doc="137 Polygon, 80002 Amoy")
    user_agent: str = text("polycopy/0.1", allowed="1 to 200 printable characters", doc="sent with every request",
                           check=lambda value: 0 < len(value) <= 200 and value.isprintable())  # fmt: skip
    request_timeout_s: float = number(10, at_least=0.5, at_most=120, doc="longest wait for an HTTP answer")


@attrs.frozen(kw_only=True)
class StreamConfig:
    """The socket to the real-time data stream, and what happens when it falls silent."""

    topics: str = choice("trades+orders_matched", "trades+orders_matched", "trades", "orders_matched",
                         doc="activity types to subscribe to; both cost little and cover each other")  # fmt: skip
    connect_timeout_s: float = number(10, at_least=0.5, at_most=60, doc="longest wait for the handshake", restart=False)
    stall_timeout_s: float = number(30, at_least=1, at_most=600, doc="silence after which the socket is replaced")
    stall_timeout_max_s: float = number(
        300, at_least=1, at_most=3600, doc="the same, doubled while new sockets stay silent"
    )
    ping_interval_s: float = number(
        5, at_least=0.5, at_most=60, doc="text PING; the feed ends after minutes without", restart=False
    )
    recycle_interval_s: float = number(
        600, at_least=10, at_most=86_400, doc="age at which a healthy socket is replaced", restart=False
    )
    recycle_overlap_s: float = number(
        5, at_least=0.1, at_most=5, doc="longest time that old and new socket overlap", restart=False
    )
    reconnect_delay_s: float = number(0.5, at_least=0.05, at_most=60, doc="first pause after a failed connection")
    reconnect_delay_max_s: float = number(
        30, at_least=0.1, at_most=600, doc="longest pause; in between it doubles, jittered"
    )
    frame_bytes_max: int = whole(1 << 20, at_least=4096, at_most=16 << 20, doc="larger frames close the socket")
    linger_max_ms: float = number(
        2,
        at_least=0,
        at_most=50,
        doc="longest pause between two batches of frames; it grows with the load",
        restart=False,
    )
    gap_overlap_s: float = number(
        10, at_least=1, at_most=600, doc="read this much before a gap, for late rows", restart=False
    )
    gap_start_overlap_s: float = number(
        120, at_least=1, at_most=86_400, doc="the same at start, before the last committed trade"
    )
    gap_start_max_s: float = number(86_400, at_least=0, at_most=30 * 86_400, doc="longest interval re-read at start")
    gap_reread_s: float = number(15, at_least=0, at_most=600, doc="pause before the second reading: history is late")
    gap_pages_max: int = whole(
        200, at_least=1, at_most=10_000, doc="pages of one platform-wide reading before it goes by wallet"
    )


@attrs.frozen(kw_only=True)
class ChannelConfig:
    """One channel: its size, for `writer` and `lanes` from where on lane 2 is shed, and whether it may leave the process."""

    capacity: int = whole(1_000, at_least=1, at_most=1_000_000, doc="items that may wait", restart=False)
    shed_above: int = whole(
        50, at_least=1, at_most=1_000_000, doc="lane 2 is shed when more items wait (writer and lanes)", restart=False
    )
    transport: str = choice(
        MEMORY, MEMORY, REDIS, doc="redis: the edge leaves the process (lanes and feed_events only)"
    )


@attrs.frozen(kw_only=True)
class FilterConfig:
    """Identity, de-duplication and the sets of wallets."""

    targets_poll_s: float = number(
        2, at_least=0.2, at_most=60, doc="how often the version of the wallet sets is asked", restart=False
    )
    batch_max: int = whole(256, at_least=1, at_most=10_000, doc="trades taken at once", restart=False)
    recent_max: int = whole(
        8_000, at_least=100, at_most=1_000_000, doc="trade ids remembered; the database decides beyond"
    )


@attrs.frozen(kw_only=True)
class WriterConfig:
    """Group commit, and the journal that holds trades while the database cannot."""

    batch_max: int = whole(500, at_least=1, at_most=5_000, doc="trades committed at once", restart=False)
    patience_ms: float = number(
        1_000, at_least=10, at_most=60_000, doc="wait for a commit before trades go to the journal", restart=False
    )
    retry_delay_s: float = number(0.2, at_least=0.01, at_most=60, doc="first pause after a failed commit")
    retry_delay_max_s: float = number(
        5, at_least=0.1, at_most=600, doc="longest pause; in between it doubles, jittered"
    )
    spill_dir: str = _path("where the journal lives")
    spill_bytes_max: int = whole(
        256 << 20, at_least=1 << 20, at_most=1 << 40, doc="size of the journal; then rows are re-read later"
    )


@attrs.frozen(kw_only=True)
class PricesConfig:
    """The price cache: what upstream costs does not grow with users."""

    ttl_ms: int = whole(
        2_000, at_least=250, at_most=3_000, doc="age from which the price of an open market is asked for again"
    )
    batch_window_ms: float = number(5, at_least=0, at_most=100, doc="wait for more markets that go into the same call")
    markets_max: int = whole(2_000, at_least=100, at_most=100_000, doc="markets kept in memory")
    write_interval_s: float = number(5, at_least=0.5, at_most=600, doc="a changed price is stored at most this often")
    backoff_max_s: float = number(60, at_least=1, at_most=600, doc="longest pause after refusals of an upstream")
    transport: str = choice(
        MEMORY, MEMORY, REDIS, doc="redis: a price that one engine has fetched serves all that are set so"
    )


@attrs.frozen(kw_only=True)
class ForwardTestingConfig:
    """Strategies that copy traders with virtual money."""

    batch_max: int = whole(256, at_least=1, at_most=10_000, doc="trades of targets taken at once", restart=False)
    market_wait_s: float = number(
        60, at_least=1, at_most=600, doc="longest wait of a trade for its unknown market", restart=False
    )
    waiting_max: int = whole(1_000, at_least=1, at_most=100_000, doc="trades that may wait for something at once")
    aggregate_linger_ms: float = number(
        400, at_least=10, at_most=10_000, doc="wait for more fills of one transaction, with aggregate transaction"
    )
    score_file: str = _path("probabilities by trade; goes before every trained model")
    score_timeout_ms: float = number(
        200, at_least=1, at_most=10_000, doc="longest wait for a score; then it is absent", restart=False
    )
    settle_interval_s: float = number(
        60, at_least=1, at_most=3_600, doc="how often resolutions of open positions are looked for"
    )


@attrs.frozen(kw_only=True)
class LimitsConfig:
    """Bounds of the process."""

    memory_mb: int = whole(
        0, at_least=0, at_most=1 << 20, doc="memory limit to warn against; 0: the control group's or the machine's"
    )
    memory_warn_ratio: float = number(
        0.8, at_least=0.1, at_most=1, doc="share of the limit from which the heap line warns", restart=False
    )
    drain_s: float = number(10, at_least=0.1, at_most=300, doc="longest stop: after it, what is left is reported")
    lease_ttl_s: float = number(15, at_least=2, at_most=300, doc="how long a dead engine keeps its lease")


@attrs.frozen(kw_only=True)
class LoggingConfig:
    """Log lines on standard error."""

    level: str = choice("info", "debug", "info", "warning", "error", doc="least level that is written", restart=False)
    format: str = choice("auto", "auto", "json", "text", doc="auto: text on a terminal, else JSON")
    heap_interval_s: float = number(60, at_least=1, at_most=3600, doc="interval of the heap line", restart=False)


def default_channels() -> dict[str, ChannelConfig]:
    """The channels of the engine and their default sizes."""
    return {
        "raw_trades": ChannelConfig(capacity=4_096),
        "copy_trades": ChannelConfig(capacity=4_096),
        "writer": ChannelConfig(capacity=4_096, shed_above=50),
        "gap_requests": ChannelConfig(capacity=16),
        "market_requests": ChannelConfig(capacity=1_000),
        "intents": ChannelConfig(capacity=1_000),
        "order_events": ChannelConfig(capacity=4_096),
        "log_lines": ChannelConfig(capacity=4_096),
        "position_events": ChannelConfig(capacity=4_096),
        "lanes": ChannelConfig(capacity=4_096, shed_above=2_000),
        "feed_events": ChannelConfig(capacity=64),
    }


@attrs.frozen(kw_only=True)
class EngineConfig:
    """The whole configuration."""

    database: DatabaseConfig = section(DatabaseConfig)
    redis: RedisConfig = section(RedisConfig)
    venue: VenueConfig = section(VenueConfig)
    http: HttpConfig = section(HttpConfig)
    stream: StreamConfig = section(StreamConfig)
    channels: dict[str, ChannelConfig] = named_sections(default_channels)
    filter: FilterConfig = section(FilterConfig)
    writer: WriterConfig = section(WriterConfig)
    markets: MarketsConfig = section(MarketsConfig)
    prices: PricesConfig = section(PricesConfig)
    poller: PollerConfig = section(PollerConfig)
    coverage: CoverageConfig = section(CoverageConfig)
    discovery: DiscoveryConfig = section(DiscoveryConfig)
    copyability: CopyabilityConfig = section(CopyabilityConfig)
    forward_testing: ForwardTestingConfig = section(ForwardTestingConfig)
    live: LiveTradingConfig = section(LiveTradingConfig)
    notify: NotifyConfig = section(NotifyConfig)
    models: ModelsConfig = section(ModelsConfig)
    retention: RetentionConfig = section(RetentionConfig)
    jobs: dict[str, JobConfig] = named_sections(default_jobs)
    tuner: TunerConfig = section(TunerConfig)
    cluster: ClusterConfig = section(ClusterConfig)
    limits: LimitsConfig = section(LimitsConfig)
    logging: LoggingConfig = section(LoggingConfig)


def cross_checks(config: EngineConfig) -> list[str]:
    """Returns what is wrong between settings that are each fine alone, as `path: reason` lines."""
    problems = []
    for name, address in (("url", config.database.url), ("direct_url", config.database.direct_url)):
        if address is not None and not address.reveal().startswith(("postgresql://", "postgres://")):
            problems.append(f"database.{name}: must be an address that begins with postgresql://")
    if config.database.direct_url is not None and config.database.url is None:
        problems.append("database.direct_url: goes with database.url; the embedded server has no pooler")
    if config.tuner.validation_days + 5 > config.tuner.days:
        problems.append("tuner.validation_days: must leave at least 5 of tuner.days to the search")
    stream = config.stream
    if stream.stall_timeout_max_s < stream.stall_timeout_s:
        problems.append("stream.stall_timeout_max_s: must not be less than stream.stall_timeout_s")
    if stream.reconnect_delay_max_s < stream.reconnect_delay_s:
        problems.append("stream.reconnect_delay_max_s: must not be less than stream.reconnect_delay_s")
    if stream.ping_interval_s >= stream.stall_timeout_s:
        problems.append("stream.ping_interval_s: must be less than stream.stall_timeout_s")
    if config.writer.retry_delay_max_s < config.writer.retry_delay_s:
        problems.append("writer.retry_delay_max_s: must not be less than writer.retry_delay_s")
    problems += role_problems(config.cluster)
    problems += redis_problems(config.redis, config.channels, config.prices)
    return problems + account_problems(config.live) + notify_problems(config.notify)


__all__ = ["ChannelConfig", "EngineConfig", "cross_checks", "default_channels"]
