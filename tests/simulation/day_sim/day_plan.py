"""How long a day is, how busy, and how its engines are set up."""

from collections.abc import Sequence

import attrs
from simulation.day_sim.day_venue import SETTINGS

from config.jobs import default_jobs

HOUR_S = 3_600.0
EVENING_MS = 1_930_340_400_000
"""2031-03-03 at 19:00 UTC: later than the clock of any machine, and a few hours before the day changes."""


@attrs.frozen(kw_only=True)
class DayPlan:
    """How long, how many, how busy."""

    seed: int
    hours: float = 2.5
    wallets: int = 200
    fills_per_h: float = 1_500
    cooldown_s: float = 180.0
    only: Sequence[str] = ()
    """Nothing but this weather, beside the pages that always fail; all of it when empty."""
    reads_on: bool = True
    """Whether there is a day after, with all that is compared with the tape."""


SETTINGS_OF_A_DAY = {
    **SETTINGS,
    "limits.lease_ttl_s": "30",
    "stream.ping_interval_s": "60",
    "stream.stall_timeout_s": "300",
    "stream.stall_timeout_max_s": "600",
    "stream.recycle_interval_s": "7200",
    "filter.targets_poll_s": "60",
    "markets.linger_s": "5",
    "forward_testing.settle_interval_s": "600",
    "poller.hot.trades_interval_s": "600",
    "poller.cold.cooldown_s": "5",
    "logging.heap_interval_s": "3600",
    # It starts a process of its own, which virtual time cannot wait for.
    "jobs.score-traders.enabled": "false",
    "jobs.model-watch.enabled": "false",
}
APART = ("train-model", "model-watch", "score-traders")
"""Their work is done in processes of their own, for which virtual time does not wait."""
CRONS = {
    "trader-stats": "*/10 * * * *",
    "ft-statistics": "*/10 * * * *",
    "markets-refresh": "*/10 * * * *",
    "cold-poll": "*/20 * * * *",
    "sync-trader-leaderboard": "5,35 * * * *",
    "backfill-wallet-pnl": "10,40 * * * *",
    "rotate-pnl-winners": "20,50 * * * *",
    "coverage-audit": "*/15 * * * *",
    "retention": "25 * * * *",
}
"""More often than in life: a day here has few hours."""


def settings_of(plan: DayPlan, *, calm: bool = False) -> dict[str, str]:
    """The settings of an engine; a calm one does nothing by itself."""
    settings = {**SETTINGS_OF_A_DAY, "poller.hot.cooldown_s": str(plan.cooldown_s)}
    for job in default_jobs():
        if job in CRONS:
            settings[f"jobs.{job}.cron"] = CRONS[job]
        if calm:
            # What was compared a moment ago is not compared again.
            settings["coverage.window_min_s"] = "7200"
            settings[f"jobs.{job}.enabled"] = "false"
    return settings
