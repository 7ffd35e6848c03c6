"""Metrics of the trained model that judges."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from actors.model_desk import ModelDesk


def model_families(desk: ModelDesk | None) -> Iterator[Metric]:
    """Yields the families; without samples where scores come from elsewhere."""
    active = GaugeMetricFamily("polycopy_model_active", "Number of the model that was activated; 0: none")
    refused = GaugeMetricFamily("polycopy_model_refused", "1 while the active model cannot be used")
    failures = CounterMetricFamily("polycopy_model_lookup_failures", "Times that the active model was not looked up")
    drifted = GaugeMetricFamily("polycopy_model_drifted", "1 when the active model has drifted, at the last look")
    gain = GaugeMetricFamily(
        "polycopy_model_brier_gain",
        "Brier score of the active model less the price's since its training; negative is better",
    )
    moved = GaugeMetricFamily(
        "polycopy_model_stability_index", "How far its probabilities lie from those of validation; above 0.25 is far"
    )
    checked = GaugeMetricFamily("polycopy_model_checked_timestamp_seconds", "When the active model was last looked at")
    if desk is not None:
        active.add_metric([], desk.active_id or 0)
        refused.add_metric([], float(bool(desk.problem)))
        failures.add_metric([], desk.failures)
        if (drift := desk.drift) is not None:
            drifted.add_metric([], float(drift.figures.drifted))
            gain.add_metric([], drift.figures.gain.mean)
            moved.add_metric([], drift.figures.psi["probability"])
            checked.add_metric([], drift.checked_ms / 1000)
    yield from (active, refused, failures, drifted, gain, moved, checked)
