"""Settings of the pollers."""

import attrs

from config.field import flag, number, section, whole


@attrs.frozen(kw_only=True)
class HotPollerConfig:
    """Wallets that somebody follows or a strategy copies, and those marked hot: polled all the time."""

    enabled: bool = flag(True, doc="false: nobody is polled; positions of traders are not known then", restart=False)
    rate_per_s: float = number(10, at_least=0.1, at_most=50, doc="calls a second at most")
    burst: int = whole(20, at_least=1, at_most=100, doc="calls at once at most")
    cooldown_s: float = number(
        1, at_least=0, at_most=3_600, doc="least time between two polls of one wallet", restart=False
    )
    trades_interval_s: float = number(
        600,
        at_least=1,
        at_most=86_400,
        doc="trades of a wallet are asked this often while the stream is healthy",
        restart=False,
    )


@attrs.frozen(kw_only=True)
class ColdPollerConfig:
    """Every other active trader: polled by the job cold-poll."""

    enabled: bool = flag(True, doc="false: the job does nothing", restart=False)
    rate_per_s: float = number(5, at_least=0.1, at_most=50, doc="calls a second at most")
    burst: int = whole(10, at_least=1, at_most=100, doc="calls at once at most")
    cooldown_s: float = number(
        5, at_least=0, at_most=86_400, doc="least time between two polls of one wallet", restart=False
    )
    wallet_timeout_s: float = number(
        60, at_least=1, at_most=600, doc="longest poll of one wallet; then the next is due", restart=False
    )


@attrs.frozen(kw_only=True)
class PollerConfig:
    """Reads what the stream does not say: what traders hold, and trades that it may have missed."""

    hot: HotPollerConfig = section(HotPollerConfig)
    cold: ColdPollerConfig = section(ColdPollerConfig)
