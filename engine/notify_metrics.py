"""The metrics of notifications. Part of `metrics.py`; channels are those of the configuration."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from engine.service_wiring import Services


def notify_families(services: Services | None) -> Iterator[Metric]:
    """Yields every family once, without samples where nothing is known yet."""
    label = ["channel"]
    facts = CounterMetricFamily("polycopy_notification_facts", "Facts that became notices, or nobody's")
    buried = CounterMetricFamily("polycopy_notification_facts_buried", "Facts that made no sense")
    sent = CounterMetricFamily("polycopy_notifications_sent", "Notices taken by a channel", labels=label)
    failed = CounterMetricFamily("polycopy_notifications_failed", "Tries that a channel did not take", labels=label)
    given_up = CounterMetricFamily("polycopy_notifications_given_up", "Notices that are not tried again", labels=label)
    pending = GaugeMetricFamily("polycopy_notifications_pending", "Deliveries that wait, quiet hours too")
    oldest = GaugeMetricFamily("polycopy_notifications_oldest_pending_age_seconds", "Age of the oldest that is due")
    if services is not None:
        notifier = services.notifier
        facts.add_metric([], notifier.facts)
        buried.add_metric([], notifier.facts_buried)
        # A channel counts from zero on, so that its first failure is an increase.
        zeros = Counter({one.name: 0 for one in notifier.channels})
        for family, counts in ((sent, notifier.sent), (failed, notifier.failed), (given_up, notifier.given_up)):
            for channel in {*zeros, *counts}:
                family.add_metric([channel], counts[channel])
        if notifier.backlog is not None:
            pending.add_metric([], notifier.backlog.pending)
            oldest.add_metric([], notifier.backlog.oldest_s)
    yield from (facts, buried, sent, failed, given_up, pending, oldest)
