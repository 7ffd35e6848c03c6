"""Settings of the job that finds out what copying traders would have made."""

import attrs

from config.field import number, whole


@attrs.frozen(kw_only=True)
class CopyabilityConfig:
    """At what size traders are scored, how many of them, and how much of the machine it may take."""

    size_usd: int = whole(
        20, at_least=1, at_most=100_000, doc="USD a copied trade at which traders are scored every day", restart=False
    )
    days: int = whole(90, at_least=1, at_most=365, doc="trades of the last so many days are copied", restart=False)
    leaders: int = whole(
        500, at_least=0, at_most=10_000, doc="places of the leaderboard that are scored, besides followed and copied traders",
        restart=False,
    )  # fmt: skip
    batch: int = whole(20, at_least=1, at_most=100, doc="traders scored in one process", restart=False)
    memory_mb: int = whole(
        600, at_least=100, at_most=65_536, doc="memory of that process; with more it is ended", restart=False
    )
    batch_max_s: float = number(900, at_least=10, at_most=86_400, doc="longest time for a batch", restart=False)
    run_max_s: float = number(
        5_400, at_least=10, at_most=80_000, doc="longest run of the job; whose turn did not come is first tomorrow",
        restart=False,
    )  # fmt: skip
    ask_max_s: float = number(
        60, at_least=5, at_most=600, doc="longest computation that a page waits for", restart=False
    )
