"""Settings of the jobs that find out who trades well."""

import attrs

from config.field import number, whole


@attrs.frozen(kw_only=True)
class DiscoveryConfig:
    """Leaderboards, what traders earned by day, and the lists that winners fill."""

    leaderboard_rows: int = whole(1_000, at_least=50, at_most=100_000, doc="traders read of each leaderboard")
    rate_per_s: float = number(5, at_least=0.1, at_most=50, doc="calls a second at most, of all these jobs")
    burst: int = whole(10, at_least=1, at_most=100, doc="calls at once at most")
    wallets_at_once: int = whole(4, at_least=1, at_most=32, doc="wallets read at the same time, each with a connection")
    backfill_max_s: float = number(
        5_400, at_least=10, at_most=80_000, doc="longest reading of one run; whose turn did not come is first tomorrow"
    )
    incomplete_max_ratio: float = number(
        0.02, at_least=0, at_most=1, doc="share of wallets that may be unread when winners are taken from rankings"
    )
