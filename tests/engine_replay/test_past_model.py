"""The model that judges now, asked about the past: nothing about trades that it may have learned from."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from score.made_figures import made_figures
from score.made_models import logistic_document, text_of

from engine.replay.past_model import NOT_YET, PastModel, past_model
from protocols.decisions import Absent, Inputs, Present

FIGURES = made_figures()
BUY = Inputs(
    trade_id="t", wallet="0x1", token_id="7", condition_id="0xc", side="BUY", price=Decimal("0.4"), size_micro=10**7,
    trade_ms=FIGURES.valid.from_ms, now_ms=FIGURES.valid.from_ms,
)  # fmt: skip


class Kept:
    def __init__(self, document: str | None) -> None:
        self.kept = document

    async def active(self, known: int | None) -> tuple[int | None, str | None]:
        return (None, None) if self.kept is None else (3, self.kept)

    async def model(self, model_id: int) -> Any:
        assert model_id == 3
        return SimpleNamespace(figures=FIGURES)


async def test_it_judges_what_came_after_it_had_learned_and_nothing_before() -> None:
    model = await past_model(Kept(text_of(logistic_document())))
    assert isinstance(model, PastModel)
    assert isinstance(await model.score(BUY), Present)
    early = msgspec.structs.replace(BUY, trade_ms=FIGURES.valid.from_ms - 1)
    assert model.at_hand(early) == Absent(reason=NOT_YET)


@pytest.mark.parametrize("document", [None, "{}", "nothing that can be read"])
async def test_without_a_model_that_can_be_read_there_is_none(document: str | None) -> None:
    assert await past_model(Kept(document)) is None
