"""Where jobs can run, in the words of those who list them. Jobs that are not named here run in every process."""

from collections.abc import Callable, Sequence

from actors.jobs.alpha_agent import NOT_INSTALLED
from engine.tuner_process import is_installed
from protocols.jobs import Scheduling

INGEST_JOBS = ("coverage-audit",)
"""They need what runs under the ingest lease: the door for late trades."""
SETTLE_JOBS = ("ft-resolve",)
"""They make the passes of the settler of paper positions again, which is where strategies are decided."""
POLL_JOBS = ("cold-poll",)
"""They hand what they find to the ingest, as the hot tier does."""
LIVE_JOBS = ("lt-execute", "lt-sync-order-status", "lt-resolve")
"""They make the passes of live trading again, where it runs."""
SEARCHES = ("alpha-agent",)
"""They need libraries that come with an optional extra."""


def places_of(
    *,
    ingests: Callable[[], bool],
    settles: Callable[[], bool],
    polls: Callable[[], bool],
    trades_live: Callable[[], bool],
) -> dict[str, Callable[[], bool]]:
    """Returns, by name of a job, whether it can run in this process now."""
    named = ((INGEST_JOBS, ingests), (SETTLE_JOBS, settles), (POLL_JOBS, polls), (LIVE_JOBS, trades_live))
    return {name: can_run for names, can_run in named for name in names}


def needs_ingest(name: str) -> bool:
    """Returns whether a job can run only where something runs under a lease."""
    return whereabouts(name) is not None


def whereabouts(name: str) -> str | None:
    """Returns what an engine must do for the job to run there, or None when every process will do."""
    if name in INGEST_JOBS:
        return "an engine that ingests"
    if name in SETTLE_JOBS:
        return "an engine that decides"
    if name in POLL_JOBS:
        return "an engine that polls"
    return "an engine that trades live" if name in LIVE_JOBS else None


def job_note(name: str, schedulers: Sequence[Scheduling], installed: Callable[[], bool] = is_installed) -> str | None:
    """Returns why a job cannot do what it is for now, or None."""
    if name in SEARCHES and not installed():
        return NOT_INSTALLED
    place = whereabouts(name)
    if place is None or any(name in one.jobs for one in schedulers):
        return None
    return f"needs {place}, and none runs now"
