"""Looks how the active model does on what ended since its training."""

from collections.abc import Sequence

import attrs

from actors.jobs.train_model import ONLY_IN_ENGINE
from config.scoring import ModelsConfig
from protocols.errors import RejectedError
from protocols.jobs import RunningJob
from protocols.score_models import ModelJobStore, ModelWork

BY = "model-watch"


@attrs.define(eq=False, kw_only=True)
class ModelWatch:
    """The active model → how it does. A model that drifted is deactivated where the operator wants that, else only shown."""

    store: ModelJobStore
    work: ModelWork | None
    config: ModelsConfig
    name: str = BY
    after: Sequence[str] = ()

    async def run(self, running: RunningJob) -> None:
        """Looks once. Raises `EngineError` with the reason when that failed, and `FencedError`."""
        active, _ = await self.store.active(None)
        if active is None:
            running.report(note="no model is active")
            return
        if self.work is None:
            raise RejectedError(ONLY_IN_ENGINE)
        running.report(model=active)
        found = await self.work.look(active)
        if found is None:
            running.report(note="too few trades have ended since it was trained")
            return
        deactivate_as = BY if self.config.drift_deactivates and found.drifted else None
        gone = await self.store.keep_drift_under(running.lease, active, found, deactivate_as=deactivate_as)
        running.report(
            trades=found.span.rows,
            brier_gain=round(found.gain.mean, 5),
            drifted=found.drifted,
            deactivated=gone,
        )
