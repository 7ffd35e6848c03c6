"""The metrics of logins and sessions. Part of `metrics.py`; no label names a user or an address."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from engine.service_wiring import Services

RESULTS = ("ok", "login_url", "wrong", "throttled", "busy")


def login_families(services: Services | None) -> Iterator[Metric]:
    """Yields every family once, without samples where nothing is known yet."""
    logins = CounterMetricFamily("polycopy_logins", "Logins of browsers by result", labels=["result"])
    sessions = GaugeMetricFamily("polycopy_web_sessions", "Sessions of browsers that hold")
    if services is not None:
        # Each counts from zero on, so that the first failure is an increase.
        for result in RESULTS:
            logins.add_metric([result], services.web_login.results[result])
        sessions.add_metric([], len(services.session_registry))
    yield from (logins, sessions)
