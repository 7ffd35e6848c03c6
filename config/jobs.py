"""Settings of the scheduler, its jobs and what they delete."""

from datetime import UTC, datetime

import attrs
from cronsim import CronSim, CronSimError

from config.field import flag, number, text, whole

_FIELDS = 5
_PROBE = datetime(2024, 1, 1, tzinfo=UTC)


def cron_problem(expression: str) -> str | None:
    """Returns what is wrong with a cron expression of five fields, or None. One that is never due is wrong, too."""
    if len(expression.split()) != _FIELDS:
        return "must have five fields: minute, hour, day of month, month, day of week"
    try:
        next(CronSim(expression, _PROBE))
    except CronSimError as error:
        return str(error).lower()
    except StopIteration:
        return "is never due"
    return None


@attrs.frozen(kw_only=True)
class RetentionConfig:
    """How long trades and logs are kept; the job `retention` deletes older ones in batches."""

    followed_days: int = whole(30, at_least=1, at_most=36_500, doc="trades of lanes 1 and 2", restart=False)
    resolved_days: int = whole(
        7, at_least=1, at_most=36_500, doc="the same, once their market is resolved", restart=False
    )
    target_days: int = whole(180, at_least=1, at_most=36_500, doc="trades of copy targets (lane 0)", restart=False)
    log_days: int = whole(30, at_least=1, at_most=36_500, doc="lines of logs of live trading", restart=False)
    notice_days: int = whole(90, at_least=7, at_most=36_500, doc="notices of users", restart=False)
    batch_rows: int = whole(5_000, at_least=100, at_most=100_000, doc="rows deleted in one transaction", restart=False)
    batch_pause_ms: float = number(50, at_least=0, at_most=10_000, doc="pause between two of them", restart=False)


@attrs.frozen(kw_only=True)
class JobConfig:
    """One job of the scheduler."""

    enabled: bool = flag(True, doc="false: runs only when somebody asks for it", restart=False)
    cron: str = text("0 4 * * *", allowed="five fields of a cron expression, in UTC", doc="when it runs, in UTC",
                     check=lambda value: cron_problem(value) is None)  # fmt: skip
    jitter_s: float = number(
        0, at_least=0, at_most=3_600, doc="it starts up to this much later, by chance", restart=False
    )
    timeout_s: float = number(
        300, at_least=1, at_most=86_400, doc="longest run; then it is ended and counts as failed", restart=False
    )


def default_jobs() -> dict[str, JobConfig]:
    """The jobs of the engine and when they run."""
    return {
        "retention": JobConfig(cron="0 4 * * *", timeout_s=3_600),
        "markets-refresh": JobConfig(cron="*/5 * * * *", jitter_s=20, timeout_s=240),
        "trader-stats": JobConfig(cron="* * * * *", timeout_s=600),
        "ft-statistics": JobConfig(cron="* * * * *", timeout_s=300),
        "ft-snapshot": JobConfig(cron="0 * * * *", timeout_s=300),
        "refresh-copy-pnl": JobConfig(cron="*/5 * * * *", jitter_s=10, timeout_s=240),
        "lt-execute": JobConfig(cron="*/2 * * * *", timeout_s=60),
        "lt-sync-order-status": JobConfig(cron="* * * * *", timeout_s=240),
        "lt-resolve": JobConfig(cron="*/5 * * * *", jitter_s=20, timeout_s=240),
        "ft-resolve": JobConfig(cron="*/10 * * * *", jitter_s=20, timeout_s=540),
        "coverage-audit": JobConfig(cron="20 * * * *", jitter_s=300, timeout_s=1_500),
        "alpha-agent": JobConfig(cron="0 6 * * *", timeout_s=10_800),
        "cold-poll": JobConfig(cron="0 * * * *", jitter_s=60, timeout_s=3_900),
        "check-notifications": JobConfig(cron="0 8 * * *", timeout_s=600),
        "send-welcome-emails": JobConfig(cron="0 9 * * *", timeout_s=600),
        "sync-trader-leaderboard": JobConfig(cron="0 1 * * *", jitter_s=300, timeout_s=900),
        "backfill-wallet-pnl": JobConfig(cron="0 2 * * *", timeout_s=7_200),
        "score-traders": JobConfig(cron="30 2 * * *", timeout_s=7_200),
        "rotate-pnl-winners": JobConfig(cron="0 3 * * *", timeout_s=120),
        "train-model": JobConfig(enabled=False, cron="30 4 * * 0", timeout_s=3_700),
        "model-watch": JobConfig(cron="40 */6 * * *", jitter_s=300, timeout_s=1_000),
    }
