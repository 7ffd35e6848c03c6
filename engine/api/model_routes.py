"""Trained models for administrators: what there is, how good each is, and which one judges."""

from typing import Any

import attrs

from engine.api.errors import ApiError, not_found
from engine.api.model_bodies import (
    ModelReport,
    ModelsAnswer,
    SwitchAnswer,
    SwitchesAnswer,
    model_answer,
    report_answer,
    switch_answer,
)
from engine.api.params import pattern, whole
from engine.api.route import ApiRoute, Call, Rate, Struct
from engine.model_switching import UnknownModelError, activate, deactivate
from protocols.errors import RejectedError
from protocols.score_models import ModelStore
from protocols.users import Scope

PAGE_MAX = 100
REASON_CHARS_MAX = 500
_ID = pattern(
    "modelId", "number of a model", "[1-9][0-9]{0,17}", allowed="the number of a model", in_path=True, required=True
)
_UNKNOWN = {404: "there is no such model"}


class SwitchBody(Struct):
    """Why, for the record."""

    reason: str = ""


@attrs.define(eq=False, kw_only=True)
class _Handlers:
    store: ModelStore
    score_file: str

    async def models(self, call: Call) -> ModelsAnswer:
        limit = call.params["limit"]
        rows = await self.store.models(before=call.params["before"], rows_max=limit + 1)
        drift = await self.store.drift([row.model_id for row in rows[:limit]])
        switches = await self.store.switches(before=None, rows_max=1)
        return ModelsAnswer(
            models=[model_answer(row, drift.get(row.model_id)) for row in rows[:limit]],
            active=switches[0].model_id if switches else None,
            score_file=bool(self.score_file),
            next_before=rows[limit - 1].model_id if len(rows) > limit else None,
        )

    async def report(self, call: Call) -> ModelReport:
        model_id = int(call.params["modelId"])
        row = await self.store.model(model_id)
        if row is None:
            raise not_found("unknown_model", f"there is no model {model_id}")
        return report_answer(row, (await self.store.drift([model_id])).get(model_id))

    async def switches(self, call: Call) -> SwitchesAnswer:
        limit = call.params["limit"]
        rows = await self.store.switches(before=call.params["before"], rows_max=limit + 1)
        return SwitchesAnswer(
            switches=[switch_answer(row) for row in rows[:limit]],
            next_before=rows[limit - 1].switch_id if len(rows) > limit else None,
        )

    async def activate(self, call: Call) -> SwitchAnswer:
        model_id = int(call.params["modelId"])
        try:
            switch = await activate(
                self.store,
                model_id,
                by=call.principal.user_name,
                reason=_reason(call.body),
                score_file=self.score_file,
            )
        except UnknownModelError as error:
            raise not_found("unknown_model", str(error)) from None
        except RejectedError as error:
            raise ApiError(409, "model_refused", str(error)) from None
        return switch_answer(switch)

    async def deactivate(self, call: Call) -> SwitchAnswer:
        try:
            return switch_answer(await deactivate(self.store, by=call.principal.user_name, reason=_reason(call.body)))
        except RejectedError as error:
            raise ApiError(409, "no_active_model", str(error)) from None


def _reason(body: SwitchBody) -> str:
    if len(body.reason) > REASON_CHARS_MAX or not body.reason.isprintable():
        raise ApiError(400, "bad_request", f"reason: at most {REASON_CHARS_MAX} printable characters", "reason")
    return body.reason


def model_routes(store: ModelStore, *, score_file: str) -> list[ApiRoute]:
    """Returns the routes. `score_file`: that of the configuration, which goes before every model; empty without one."""
    handlers = _Handlers(store=store, score_file=score_file)
    admin: dict[str, Any] = {"scope": Scope.ADMIN, "rate": Rate.ADMIN}
    limit = whole("limit", "rows of one page", at_least=1, at_most=PAGE_MAX, default=20)
    before = whole("before", "only rows with a smaller number", at_least=1, at_most=10**18 - 1)
    path = "/api/admin/models"
    return [
        ApiRoute(method="GET", path=path, handler=handlers.models, answer=ModelsAnswer, params=(limit, before),
                 summary="Trained models, newest first: how good each is out of sample, and which one judges", **admin),
        ApiRoute(method="GET", path=path + "/switches", handler=handlers.switches, answer=SwitchesAnswer,
                 params=(limit, before), summary="Which model judged when, newest first", **admin),
        ApiRoute(method="GET", path=path + "/{modelId}", handler=handlers.report, answer=ModelReport, params=(_ID,),
                 summary="A model: figures, baselines, calibration, how it does since", refusals=_UNKNOWN, **admin),
        ApiRoute(method="POST", path=path + "/{modelId}/activate", handler=handlers.activate, answer=SwitchAnswer,
                 params=(_ID,), body=SwitchBody, summary="Lets a model judge, within seconds",
                 refusals={**_UNKNOWN, 409: "it does not beat the price, is of other features, or a file gives scores"},
                 **admin),
        ApiRoute(method="POST", path=path + "/deactivate", handler=handlers.deactivate, answer=SwitchAnswer,
                 body=SwitchBody, summary="Lets no model judge", refusals={409: "none does"}, **admin),
    ]  # fmt: skip
