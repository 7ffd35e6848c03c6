"""From a table of trades to measured models."""

from collections.abc import Callable, Mapping
from importlib.metadata import version

import lightgbm
import msgspec
import sklearn

from actors.rules.score.feature_names import FEATURE_VERSION
from engine.training.fit_boosted import fit_boosted
from engine.training.fit_logistic import fit_logistic
from engine.training.measuring import measured, yardstick
from engine.training.split import VALID_SHARE, Split, split_by_time
from engine.training.table import Table
from protocols.errors import RejectedError
from protocols.score_models import NewModel

ROWS_MIN = 200
# Boosting first: the other one standardises the features of the training part in place.
_FITS = (("boosted trees", fit_boosted), ("logistic regression", fit_logistic))


def trained(
    table: Table,
    *,
    seed: int,
    left_out: Mapping[str, int],
    code_version: str,
    stage: Callable[[str], None],
    now_s: Callable[[], float],
    valid_share: float = VALID_SHARE,
) -> list[NewModel]:
    """Returns a boosted and a logistic model, each measured on what came after. Raises `RejectedError` for too few trades.

    The table is of no use afterwards.
    """
    split = split_by_time(table, valid_share=valid_share, in_place=True)
    _check(split)
    stage("baselines")
    against = yardstick(split, left_out=left_out, seed=seed)
    models = []
    for name, fit in _FITS:
        began_s = now_s()
        stage(name)
        document, _ = fit(split.train, seed=seed)
        stage(f"{name}: measuring")
        models.append(
            NewModel(
                document=msgspec.json.encode(document).decode(),
                figures=measured(document, split.valid, against),
                kind=document.kind,
                feature_version=FEATURE_VERSION,
                seed=seed,
                code_version=code_version,
                libraries=libraries(),
                seconds=now_s() - began_s,
            )
        )
    return models


def libraries() -> dict[str, str]:
    """Returns the versions of what trains."""
    return {"lightgbm": lightgbm.__version__, "scikit-learn": sklearn.__version__, "numpy": version("numpy")}


def _check(split: Split) -> None:
    for part, name in ((split.train, "to learn from"), (split.valid, "to be measured on")):
        if len(part) < ROWS_MIN:
            raise RejectedError(f"{len(part)} trades {name}, at least {ROWS_MIN} are needed; nothing was trained")
        if part.won.min() == part.won.max():
            raise RejectedError(f"all trades {name} ended alike; nothing was trained")
