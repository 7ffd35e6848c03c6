"""Settings of the coverage audit."""

import attrs

from config.field import number, whole


@attrs.frozen(kw_only=True)
class CoverageConfig:
    """The job coverage-audit: what the venue's history has, against what the stream brought."""

    settle_s: float = number(
        600, at_least=0, at_most=86_400, doc="younger trades are not compared: the history is late"
    )
    window_min_s: float = number(60, at_least=1, at_most=86_400, doc="shorter intervals wait for the next run")
    lookback_s: float = number(
        86_400, at_least=60, at_most=604_800, doc="what is older is given up, after a long standstill"
    )
    rate_per_s: float = number(2, at_least=0.1, at_most=50, doc="calls a second at most")
    calls_max: int = whole(100, at_least=2, at_most=100_000, doc="calls of one run; then the rest waits for its turn")
    pages_max: int = whole(20, at_least=1, at_most=1_000, doc="pages of one interval; a busier one is halved")
    keep_days: int = whole(30, at_least=1, at_most=36_500, doc="how long intervals and misses are kept")
