"""Metrics of the coverage audit and of the times of jobs."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from actors.coverage_board import CoverageBoard
from actors.scheduler import Scheduler


def coverage_families(board: CoverageBoard | None, now_s: float) -> Iterator[Metric]:
    """Yields the families; at monotonic time `now_s`. Without samples until this process has audited."""
    ratio = GaugeMetricFamily(
        "polycopy_coverage_ratio",
        "Share of the venue's trades of 24 hours that the stream brought, among those whose bringer is known",
        labels=["lane"],
    )
    expected = GaugeMetricFamily("polycopy_coverage_expected", "Trades of the same", labels=["lane"])
    missed = CounterMetricFamily("polycopy_coverage_missed", "Trades that only the audit had", labels=["source"])
    age = GaugeMetricFamily("polycopy_coverage_audit_age_seconds", "Age of the last audit of this process")
    if board is not None:
        for lane, summary in board.summary.items():
            expected.add_metric([str(lane.value)], summary.counts.expected)
            if summary.counts.ratio is not None:
                ratio.add_metric([str(lane.value)], summary.counts.ratio)
        for source, count in list(board.missed.items()):
            missed.add_metric([source], count)
        if board.audited_s is not None:
            age.add_metric([], max(0.0, now_s - board.audited_s))
    yield from (ratio, expected, missed, age)


def job_families(scheduler: Scheduler | None) -> Iterator[Metric]:
    """Yields how old the last success of each job is that can run here, and how often it is due."""
    success = GaugeMetricFamily(
        "polycopy_job_last_success_age_seconds",
        "Age of a job's last success; of one that never succeeded, since it is known",
        labels=["job"],
    )
    interval = GaugeMetricFamily(
        "polycopy_job_interval_seconds", "Longest time between two runs of an enabled job", labels=["job"]
    )
    if scheduler is not None:
        for job, age_s in scheduler.last_success_age_s().items():
            success.add_metric([job], age_s)
        for job, interval_s in scheduler.interval_s.items():
            interval.add_metric([job], interval_s)
    yield from (success, interval)
