"""Trained models for administrators: which one judges, how good each is, and switching."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from engine.pages.page import Page, Visit
from protocols.users import Scope

MODELS_ON_A_PAGE = 20
BASELINES = (
    ("price", "the price"),
    ("priceFit", "the price, drawn straight"),
    ("winRate", "the trader's win rate, shrunk"),
)


def model_pages() -> list[Page]:
    """Returns the pages about models."""
    page = partial(Page, nav="engine", scope=Scope.ADMIN)
    return [
        page(path="/engine/models", template="models.html", title="Models", load=_models),
        page(path="/engine/models/{modelId}", template="model.html", title="Model", load=_model),
    ]


async def _models(visit: Visit) -> Mapping[str, Any]:
    return {
        "models": await visit.ask("/api/admin/models", limit=MODELS_ON_A_PAGE, before=visit.query.get("before")),
        "switches": await visit.part("/api/admin/models/switches", limit=10),
    }


async def _model(visit: Visit) -> Mapping[str, Any]:
    report = await visit.ask(f"/api/admin/models/{visit.path_params['modelId']}")
    return {"title": f"Model {report['model']['modelId']}", "report": report, "baselines": BASELINES}
