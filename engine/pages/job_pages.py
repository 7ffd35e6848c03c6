"""Jobs for administrators: what runs when, what ran, and how much of the history the stream had."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from engine.pages.page import Page, Visit
from protocols.users import Scope

RUNS_ON_A_PAGE = 50


def job_pages() -> list[Page]:
    """Returns the pages about jobs."""
    page = partial(Page, nav="jobs", scope=Scope.ADMIN)
    return [
        page(path="/jobs", template="jobs.html", title="Jobs", load=_jobs),
        page(path="/jobs/{name}", template="job.html", title="Job", load=_job),
        page(path="/coverage", template="coverage.html", title="Coverage", load=_coverage),
    ]


async def _jobs(visit: Visit) -> Mapping[str, Any]:
    return {"jobs": await visit.ask("/api/admin/jobs")}


async def _job(visit: Visit) -> Mapping[str, Any]:
    name = visit.path_params["name"]
    runs = await visit.ask(f"/api/admin/jobs/{name}/runs", limit=RUNS_ON_A_PAGE, before=visit.query.get("before"))
    known = await visit.ask("/api/admin/jobs")
    return {"title": name, "job": next(one for one in known["jobs"] if one["name"] == name), "runs": runs}


async def _coverage(visit: Visit) -> Mapping[str, Any]:
    return {
        "coverage": await visit.ask("/api/admin/coverage", limit=100, cursor=visit.query.get("cursor")),
        "misses": await visit.part("/api/admin/coverage/misses", limit=50, before=visit.query.get("before")),
    }
