"""All routes that report on forward testing; what changes strategies is in `bot_routes`, signals are in `signal_routes`."""

import attrs

from engine.api.bots_read_routes import bots_read_routes
from engine.api.ft_admin_routes import SettleNow, ft_admin_routes
from engine.api.ft_order_routes import Quotes, ft_order_routes
from engine.api.ft_wallet_routes import ft_wallet_routes
from engine.api.route import ApiRoute
from engine.api.why_routes import why_routes
from protocols.clock import WallClock
from protocols.ft_reports import FtReports
from protocols.ft_statistics import SnapshotReports
from protocols.paper import DecisionMarkets, TraderRecords
from protocols.why import WhyStore


@attrs.frozen(kw_only=True)
class FtReadPorts:
    """What the reports read from."""

    reports: FtReports
    snapshots: SnapshotReports
    quotes: Quotes
    why: WhyStore
    markets: DecisionMarkets
    records: TraderRecords
    settle_now: SettleNow
    clock: WallClock


def ft_read_routes(ports: FtReadPorts) -> list[ApiRoute]:
    """Returns the routes."""
    return [
        *ft_wallet_routes(ports.reports, ports.clock),
        *ft_order_routes(ports.reports, ports.snapshots, ports.quotes, ports.clock),
        *bots_read_routes(ports.reports, ports.snapshots, ports.clock),
        *why_routes(ports.why),
        *ft_admin_routes(
            reports=ports.reports,
            facts=ports.why,
            markets=ports.markets,
            records=ports.records,
            settle_now=ports.settle_now,
            clock=ports.clock,
        ),
    ]
