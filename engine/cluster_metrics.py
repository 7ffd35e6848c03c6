"""The metrics of this engine as a member among others. Part of `metrics.py`. Labels are roles, APIs and states: nobody's name.

Each engine tells what it sees, so that a rule takes the largest value of all; one that has lost the database tells nothing of
others.
"""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from engine.running import Engine
from protocols.cluster import Api, Role


def cluster_families(engine: Engine, now_s: float) -> Iterator[Metric]:
    """Yields every family once, at monotonic time `now_s`; without samples where nothing is known."""
    there = GaugeMetricFamily("polycopy_cluster_members", "Engines on this database", labels=["state"])
    roles = GaugeMetricFamily("polycopy_cluster_role_members", "Live engines that do a role now", labels=["role"])
    versions = GaugeMetricFamily("polycopy_cluster_versions", "Different versions among the live engines")
    own = GaugeMetricFamily("polycopy_member_working", "1 for each role that this engine does now", labels=["role"])
    heard = GaugeMetricFamily("polycopy_member_heard_age_seconds", "Since the cluster heard of this engine last")
    failures = CounterMetricFamily("polycopy_member_heartbeat_failures", "Heartbeats that did not arrive")
    shares = GaugeMetricFamily(
        "polycopy_member_share_ratio", "What of the venue's limits this engine may use", labels=["api"]
    )
    now = engine.working()
    for role in Role:
        own.add_metric([role.value], float(role in now))
    if (member := engine.member) is not None:
        view = member.view_at(now_s)
        if view.is_in:
            there.add_metric(["live"], len(view.members))
            there.add_metric(["lost"], view.lost)
            versions.add_metric([], len({one.report.version for one in view.members}))
            for role in Role:
                roles.add_metric([role.value], len(view.working_at(role)))
        if (age_s := member.seen_age_s(now_s)) is not None:
            heard.add_metric([], age_s)
        failures.add_metric([], member.failures)
    for api in Api:
        shares.add_metric([api.value], engine.traffic.share_ratio(api))
    yield from (there, roles, versions, own, heard, failures, shares)
