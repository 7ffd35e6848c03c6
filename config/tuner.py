"""Settings of the tuner (job alpha-agent)."""

import attrs

from config.field import number, whole


@attrs.frozen(kw_only=True)
class TunerConfig:
    """How strategies with `agent_managed` are searched for better settings, and what becomes of proposals."""

    days: int = whole(30, at_least=10, at_most=365, doc="stored days that a search looks at", restart=False)
    validation_days: int = whole(
        9, at_least=5, at_most=180, doc="the last of them, which take no part in the search", restart=False
    )
    tries_max: int = whole(90, at_least=10, at_most=2_000, doc="sets of settings tried a strategy", restart=False)
    batch: int = whole(10, at_least=1, at_most=200, doc="sets of settings played in one pass", restart=False)
    orders_min: int = whole(
        30, at_least=5, at_most=100_000, doc="orders with a result that each part needs", restart=False
    )
    level: float = number(
        0.02, at_least=0.0001, at_most=0.2, doc="how often a change without merit may be proposed", restart=False
    )
    expire_days: int = whole(14, at_least=1, at_most=90, doc="proposals nobody decided end after it", restart=False)
    evaluation_orders_min: int = whole(
        50, at_least=5, at_most=100_000, doc="orders before and after a change that its evaluation needs", restart=False
    )
    evaluation_errors_min: float = number(
        1, at_least=0, at_most=5, doc="standard errors that a difference has to have to count", restart=False
    )
    keep_days: int = whole(365, at_least=30, at_most=36_500, doc="how long proposals and notes are kept", restart=False)
    trades_max: int = whole(
        60_000, at_least=1_000, at_most=5_000_000, doc="stored trades of a pass; of more, some markets", restart=False
    )
    memory_mb: int = whole(
        3_072, at_least=256, at_most=1_048_576, doc="memory of the process that searches", restart=False
    )
    timeout_s: float = number(
        10_000, at_least=10, at_most=86_000, doc="longest search, and all searches of a night", restart=False
    )
