"""The trained model that judges: follows which one is active, and scores trades with it without waiting."""

import logging

import attrs
import trio

from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from actors.rules.score.model import ScoringModel, read_model
from protocols.clock import Random
from protocols.decisions import Absent, Inputs, Score
from protocols.errors import EngineError, RejectedError, TransientError
from protocols.score_models import ActiveModels, DriftRow

_log = logging.getLogger(__name__)
POLL_S = 2.0
DRIFT_EVERY = 30
"""Polls between two looks at how the model does: a job looks at most once an hour."""


@attrs.define(eq=False, kw_only=True)
class ModelDesk:
    """`Scorer`. What was activated judges within seconds; while the database is away, the last model does."""

    store: ActiveModels
    rng: Random
    active_id: int | None = attrs.field(init=False, default=None)
    """None: no model is active, or nobody could ask yet."""
    problem: str = attrs.field(init=False, default="")
    """Why the active model does not judge."""
    drift: DriftRow | None = attrs.field(init=False, default=None)
    """The last look at the active model."""
    failures: int = attrs.field(init=False, default=0)
    _model: ScoringModel | None = attrs.field(init=False, default=None)
    _asked: trio.Event = attrs.field(init=False, factory=trio.Event)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def at_hand(self, inputs: Inputs) -> Score | None:
        """Returns the score of a trade, also that there is none; None only before the database was asked first."""
        if not self._asked.is_set():
            return None
        if self._model is not None:
            return self._model.score(inputs)
        return Absent(reason="no_scorer" if self.active_id is None else "model_refused")

    async def score(self, inputs: Inputs) -> Score:
        """Returns the same, after the database was asked."""
        await self._asked.wait()
        score = self.at_hand(inputs)
        assert score is not None
        return score

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follows what is active until cancelled."""
        task_status.started()
        backoff = Backoff(first_s=0.5, max_s=10.0, rng=self.rng)
        polls = 0
        while True:
            try:
                changed = await self._look()
                if self.active_id is not None and (changed or polls % DRIFT_EVERY == 0):
                    self.drift = (await self.store.drift([self.active_id])).get(self.active_id)
                polls += 1
                backoff.reset()
                await trio.sleep(POLL_S)
            except TransientError as error:
                self.failures += 1
                if self._log_limit.allows("models", trio.current_time()) is not None:
                    _log.warning("the active model was not looked up, the last one judges", extra={"error": str(error)})
                await trio.sleep(backoff.next_s())
            except EngineError as error:
                # A row that this program does not understand: another one wrote it. The model itself judges on.
                self.drift = None
                if self._log_limit.allows("drift", trio.current_time()) is not None:
                    _log.warning("how the model does was not understood", extra={"error": str(error)})
                await trio.sleep(POLL_S)

    async def _look(self) -> bool:
        """Asks what is active, and returns whether that is another one than before."""
        asked_before = self._asked.is_set()
        active_id, document = await self.store.active(self.active_id)
        changed = active_id != self.active_id or not asked_before
        if document is not None:
            self._take(active_id, document)
        elif active_id is None:
            self._model, self.problem, self.drift = None, "", None
        self.active_id = active_id
        self._asked.set()
        if changed:
            _log.info("a model judges" if self._model else "no model judges", extra={"model_id": active_id})
        return changed

    def _take(self, model_id: int | None, document: str) -> None:
        try:
            self._model, self.problem = read_model(document), ""
        except RejectedError as error:
            # No older model judges in its place: nobody asked for that.
            self._model, self.problem = None, str(error)
            _log.error("the active model is refused", extra={"model_id": model_id, "error": str(error)})
        self.drift = None
