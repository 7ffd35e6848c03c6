"""Activates models and takes them away, by one rule for commands and API."""

from actors.rules.score.activation import refusals
from actors.rules.score.feature_names import FEATURE_VERSION
from actors.rules.score.model import read_model
from protocols.errors import RejectedError
from protocols.score_models import ModelRow, ModelStore, Switch

FILE_GOES_FIRST = (
    "forward_testing.score_file is set: scores come from that file, and a model would judge nothing; "
    "take the setting out first"
)


class UnknownModelError(RejectedError):
    """There is no such model."""


def refusals_of(row: ModelRow) -> list[str]:
    """Returns why a model must not be activated; nothing when it may."""
    return refusals(row.figures, feature_version=row.feature_version, current_version=FEATURE_VERSION)


async def activate(store: ModelStore, model_id: int, *, by: str, reason: str, score_file: str) -> Switch:
    """Makes a model judge. Raises `UnknownModelError`, `RejectedError` with every reason against it, and `TransientError`."""
    row = await store.model(model_id)
    document = await store.document(model_id)
    if row is None or document is None:
        raise UnknownModelError(f"there is no model {model_id}")
    against = [FILE_GOES_FIRST] if score_file else []
    against += refusals_of(row)
    if against:
        raise RejectedError(f"model {model_id} is not activated: " + "; ".join(against))
    read_model(document)
    switch = await store.switch(model_id, by=by, reason=reason)
    assert switch is not None
    return switch


async def deactivate(store: ModelStore, *, by: str, reason: str) -> Switch:
    """Lets no model judge. Raises `RejectedError` when none does, and `TransientError`."""
    found = await store.switches(before=None, rows_max=1)
    if not found or found[0].model_id is None:
        raise RejectedError("no model is active")
    switch = await store.switch(None, by=by, reason=reason)
    assert switch is not None
    return switch
