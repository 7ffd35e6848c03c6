"""The world behind live trading, as `live_wiring.py` needs it."""

from collections.abc import Callable, Collection, Mapping

import attrs

from protocols.ingest import MarketCatalog, MarketStore
from protocols.instruments import Observer
from protocols.live.market import OrderBooks
from protocols.live.operating import ManualStore
from protocols.live.ports import LiveOrderStore, LogStore, TradingAccount
from protocols.live.settings import LiveTableStore
from protocols.live.watching import ExitRows, ReconciliationStore, RedemptionStore, UserSocketDialer
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
