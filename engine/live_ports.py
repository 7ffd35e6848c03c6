"""The world behind live trading, as `live_wiring.py` needs it."""

from collections.abc import Callable, Collection, Mapping

import attrs

from config.live_trading import LiveTradingConfig
from protocols.ingest import MarketCatalog, MarketStore
from protocols.instruments import Observer
from protocols.live.market import OrderBooks
from protocols.live.operating import ManualStore
from protocols.live.ports import LiveOrderStore, LogStore, TradingAccount
from protocols.live.settings import LiveTableStore
from protocols.live.watching import (
    ExitRows,
    ReconciliationStore,
    RedemptionStore,
    UserSocketDialer,
    WatchTimes,
)
from protocols.paper import DecisionMarkets, Resolutions


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
    manual: ManualStore
    books: OrderBooks
    resolutions: Resolutions
    decision_markets: DecisionMarkets
    markets: MarketStore
    catalog: MarketCatalog
    accounts: Mapping[str, AccountPorts]
    """Those with a key."""
    traded: Collection[str]
    """Whose orders and money these ports read and write; all of `accounts` among them."""
    is_safe: Callable[[], bool]
    """Whether nobody else can be trading them by now: asked before an order goes out."""
    trade_to_order: Observer


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
