"""Settings of trained models."""

import attrs

from config.field import flag, whole


@attrs.frozen(kw_only=True)
class ModelsConfig:
    """The jobs train-model and model-watch: what is learned from, and how the active model is looked after."""

    train_days: int = whole(
        180, at_least=2, at_most=3_650, doc="trades of so many days are learned from", restart=False
    )
    train_rows_max: int = whole(
        1_000_000,
        at_least=1_000,
        at_most=10_000_000,
        doc="most trades, the newest; a million takes up to 1 GB",
        restart=False,
    )
    train_memory_mb: int = whole(
        1_024, at_least=128, at_most=65_536, doc="a training that takes more is ended", restart=False
    )
    watch_days: int = whole(
        30, at_least=1, at_most=3_650, doc="trades of so many days say how the active model does", restart=False
    )
    watch_rows_max: int = whole(50_000, at_least=1_000, at_most=1_000_000, doc="most trades of it", restart=False)
    drift_deactivates: bool = flag(
        False, doc="a model that has drifted is deactivated; else the operator is told", restart=False
    )
