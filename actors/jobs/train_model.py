"""Trains models at times, in a process of its own. Which one judges, an operator says."""

from collections.abc import Sequence

import attrs

from protocols.errors import RejectedError
from protocols.jobs import RunningJob
from protocols.score_models import ModelJobStore, ModelWork

ONLY_IN_ENGINE = "it runs in an engine only; here `polycopy model train` and `polycopy model watch` do the same"


@attrs.define(eq=False, kw_only=True)
class TrainModel:
    """Stored trades → models. Kept under the lease: what a run brings that lost it is forgotten."""

    store: ModelJobStore
    work: ModelWork | None
    name: str = "train-model"
    after: Sequence[str] = ()

    async def run(self, running: RunningJob) -> None:
        """Trains once. Raises `EngineError` with the reason when nothing was trained, and `FencedError`."""
        if self.work is None:
            raise RejectedError(ONLY_IN_ENGINE)
        running.report(models=0)
        found = await self.work.train()
        for number, model in enumerate(found, start=1):
            model_id = await self.store.add_under(running.lease, model)
            figures = model.figures
            running.report(
                models=number,
                trades=figures.train.rows + figures.valid.rows,
                **{f"{model.kind}_id": model_id, f"{model.kind}_brier": round(figures.model.brier, 5)},
                price_brier=round(figures.baselines["price"].brier, 5),
            )
