"""Metrics of the tuner."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from actors.tuner_board import TunerBoard


def tuner_families(board: TunerBoard | None) -> Iterator[Metric]:
    """Yields the families. Gauges are as of the last run of this process, and without samples before it."""
    waiting = GaugeMetricFamily("polycopy_tuner_waiting", "Proposals that wait for a person, as of the last run")
    evaluating = GaugeMetricFamily("polycopy_tuner_evaluating", "Applied proposals without an outcome yet")
    managed = GaugeMetricFamily("polycopy_tuner_managed", "Strategies under the care of the tuner")
    looks = CounterMetricFamily("polycopy_tuner_looks", "Searches of a strategy")
    proposed = CounterMetricFamily("polycopy_tuner_proposed", "Proposals made")
    ended = CounterMetricFamily("polycopy_tuner_ended", "What the job made of proposals", labels=["status"])
    if board is not None:
        if board.counts is not None:
            waiting.add_metric([], board.counts.waiting)
            evaluating.add_metric([], board.counts.evaluating)
            managed.add_metric([], board.counts.managed)
        looks.add_metric([], board.searched)
        proposed.add_metric([], board.proposed)
        for status, count in list(board.ended.items()):
            ended.add_metric([status], count)
    yield from (waiting, evaluating, managed, looks, proposed, ended)
