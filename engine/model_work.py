"""Training and looking after models, in processes of their own."""

from typing import TypeVar

import attrs
import msgspec

from config.scoring import ModelsConfig
from engine.side_process import SideDesk
from protocols.errors import MalformedError
from protocols.score_models import DriftFigures, NewModel

TRAIN_TIMEOUT_S = 3_600.0
LOOK_TIMEOUT_S = 900.0
LOOK_MEMORY_MB = 512
T = TypeVar("T")


class _Trained(msgspec.Struct, kw_only=True):
    models: list[NewModel]


class _Looked(msgspec.Struct, kw_only=True):
    drift: DriftFigures | None


@attrs.define(eq=False, kw_only=True)
class SideModelWork:
    """`ModelWork`. Raises `SideProcessError` with the command's own words, and `SideBusyError`."""

    side: SideDesk
    config: ModelsConfig

    async def train(self) -> list[NewModel]:
        """Trains and returns the models; nothing is kept."""
        answer = await self.side.run(
            "train-model",
            ("model", "train", "--no-keep", "--json"),
            timeout_s=TRAIN_TIMEOUT_S,
            memory_mb=self.config.train_memory_mb,
        )
        return _decoded(answer, _Trained).models

    async def look(self, model_id: int) -> DriftFigures | None:
        """Returns how a model does; nothing is kept."""
        answer = await self.side.run(
            "model-watch",
            ("model", "watch", str(model_id), "--no-keep", "--json"),
            timeout_s=LOOK_TIMEOUT_S,
            memory_mb=LOOK_MEMORY_MB,
        )
        return _decoded(answer, _Looked).drift


def _decoded(answer: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer, type=kind)
    except msgspec.MsgspecError as error:
        raise MalformedError("answer", str(error)[:200]) from None
