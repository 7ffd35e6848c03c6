"""The trained model that judges now, on trades of the past: on those alone that it has not learned from."""

from typing import Protocol

import attrs

from actors.rules.score.model import ScoringModel, read_model
from protocols.decisions import Absent, Inputs, Score
from protocols.errors import RejectedError
from protocols.score_models import ModelRow

NOT_YET = "not_trained_yet"


class KeptModels(Protocol):
    """Where the active model is looked up. Raises `TransientError`."""

    async def active(self, known: int | None) -> tuple[int | None, str | None]:
        """Returns the id of the active model and its document."""
        ...

    async def model(self, model_id: int) -> ModelRow | None:
        """Returns what is known of a model."""
        ...


@attrs.frozen(eq=False, kw_only=True)
class PastModel:
    """`Scorer`. Whoever scored a trade with a model that had seen how it ends would find that the model is good."""

    model: ScoringModel
    learned_until_ms: int
    """Of trades before it there is no score."""

    def at_hand(self, inputs: Inputs) -> Score:
        """Returns the score of a trade, or that there is none."""
        if inputs.trade_ms < self.learned_until_ms:
            return Absent(reason=NOT_YET)
        return self.model.score(inputs)

    async def score(self, inputs: Inputs) -> Score:
        """Returns the same."""
        return self.at_hand(inputs)


async def past_model(store: KeptModels) -> PastModel | None:
    """Returns the active model; None when none is active, or this program does not read it. Raises `TransientError`."""
    active_id, document = await store.active(None)
    row = None if active_id is None else await store.model(active_id)
    if row is None or document is None:
        return None
    try:
        # Everything in training had ended before the first trade of validation.
        return PastModel(model=read_model(document), learned_until_ms=row.figures.valid.from_ms)
    except RejectedError:
        return None
