import attrs
import trio
from score.made_figures import made_drift
from score.made_models import boosted_document, logistic_document, text_of
from score.test_features import BUY

from actors.model_desk import DRIFT_EVERY, POLL_S, ModelDesk
from actors.score_desk import ScoreDesk
from protocols.clock import Random
from protocols.decisions import Absent, Present
from protocols.errors import MalformedError, TransientError
from protocols.score_models import DriftRow


@attrs.define
class Models:
    """A store that fails on command."""

    model_id: int | None = None
    document: str | None = None
    failure: Exception | None = None
    drifts: dict = attrs.field(factory=dict)
    drift_failure: Exception | None = None
    drift_calls: int = 0

    async def active(self, known):
        await trio.lowlevel.checkpoint()
        if self.failure is not None:
            raise self.failure
        return self.model_id, None if known == self.model_id else self.document

    async def drift(self, model_ids):
        self.drift_calls += 1
        if self.drift_failure is not None:
            raise self.drift_failure
        return {one: self.drifts[one] for one in model_ids if one in self.drifts}


async def running(nursery, models):
    desk = ModelDesk(store=models, rng=Random(1))
    await nursery.start(desk.run)
    return desk


async def test_before_the_database_was_asked_a_score_is_waited_for(autojump_clock):
    models = Models(failure=TransientError("away"))
    async with trio.open_nursery() as nursery:
        desk = await running(nursery, models)
        assert desk.at_hand(BUY) is None
        asked = ScoreDesk(scorer=desk, timeout_ms=200)
        assert await asked.score(BUY) == Absent(reason="timeout")
        models.failure = None
        await trio.sleep(30)
        assert await asked.score(BUY) == asked.at_hand(BUY) == Absent(reason="no_scorer")
        assert desk.failures > 0
        nursery.cancel_scope.cancel()


async def test_the_last_model_judges_while_the_database_is_away(autojump_clock):
    models = Models(1, text_of(logistic_document()))
    async with trio.open_nursery() as nursery:
        desk = await running(nursery, models)
        await trio.sleep(1)
        score = desk.at_hand(BUY)
        assert isinstance(score, Present)
        models.failure = TransientError("away")
        await trio.sleep(600)
        assert desk.at_hand(BUY) == score
        models.failure, models.model_id, models.document = None, 2, text_of(boosted_document())
        await trio.sleep(20)
        assert desk.active_id == 2
        assert desk.at_hand(BUY) != score
        nursery.cancel_scope.cancel()


async def test_a_refused_model_leaves_no_older_one_in_its_place(autojump_clock):
    models = Models(1, text_of(logistic_document()))
    async with trio.open_nursery() as nursery:
        desk = await running(nursery, models)
        await trio.sleep(1)
        models.model_id, models.document = 2, "{}"
        await trio.sleep(3 * POLL_S)
        assert desk.at_hand(BUY) == Absent(reason="model_refused")
        assert desk.problem
        models.model_id = models.document = None
        await trio.sleep(3 * POLL_S)
        assert (desk.at_hand(BUY), desk.problem) == (Absent(reason="no_scorer"), "")
        models.model_id, models.document = 1, text_of(logistic_document())
        await trio.sleep(3 * POLL_S)
        assert isinstance(desk.at_hand(BUY), Present)
        nursery.cancel_scope.cancel()


async def test_how_the_model_does_is_looked_up_now_and_then(autojump_clock):
    models = Models(1, text_of(logistic_document()))
    async with trio.open_nursery() as nursery:
        desk = await running(nursery, models)
        await trio.sleep(1)
        assert desk.drift is None
        models.drifts[1] = DriftRow(model_id=1, checked_ms=5, figures=made_drift())
        await trio.sleep(2 * DRIFT_EVERY * POLL_S)
        assert desk.drift == models.drifts[1]
        assert models.drift_calls <= 4
        models.drift_failure = MalformedError("figures", "of another program")
        await trio.sleep(2 * DRIFT_EVERY * POLL_S)
        assert desk.drift is None
        assert isinstance(desk.at_hand(BUY), Present)
        nursery.cancel_scope.cancel()
