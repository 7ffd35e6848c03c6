"""The cockpit: the graph of actors as it runs, and every setting with its source."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import msgspec

from engine.api.engine_bodies import ActorNode, ChannelEdge
from engine.pages.charts.markup import drawn
from engine.pages.charts.meter import meter
from engine.pages.graph_svg import graph_svg
from engine.pages.page import Page, Visit
from protocols.users import Scope


def engine_pages() -> list[Page]:
    """Returns the pages about the engine itself."""
    return [
        Page(path="/engine", template="engine.html", title="Engine", nav="engine", load=_engine, scope=Scope.ADMIN),
        Page(
            path="/engine/config",
            template="config.html",
            title="Configuration",
            nav="config",
            load=_config,
            scope=Scope.ADMIN,
        ),
    ]


async def _engine(visit: Visit) -> Mapping[str, Any]:
    engine = await visit.ask("/api/admin/engine")
    actors = msgspec.convert(engine["actors"], list[ActorNode], strict=False)
    channels = msgspec.convert(engine["channels"], list[ChannelEdge], strict=False)
    return {
        "engine": engine,
        "cluster": await visit.part("/api/admin/cluster"),
        "graph": drawn(graph_svg(actors, channels)),
        "heap": drawn(meter(engine["heapBytes"], max(1, engine["heapLimitBytes"]), label="memory")),
    }


async def _config(visit: Visit) -> Mapping[str, Any]:
    config = await visit.ask("/api/admin/config")
    wanted = visit.query.get("q", "").strip().lower()
    only = visit.query.get("only", "")
    shown = [one for one in config["settings"] if _is_wanted(one, wanted, only)]
    sections = [(name, list(rows)) for name, rows in groupby(shown, key=lambda one: one["section"])]
    return {"config": config, "sections": sections, "q": visit.query.get("q", ""), "only": only, "shown": len(shown)}


def _is_wanted(setting: Mapping[str, Any], text: str, only: str) -> bool:
    if only == "changed" and setting["source"] == "default":
        return False
    if only == "editable" and not setting["editable"]:
        return False
    if only == "waiting" and setting["wanted"] == setting["value"]:
        return False
    return text in f"{setting['path']} {setting['doc']}".lower()
