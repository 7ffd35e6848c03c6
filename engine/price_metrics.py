"""The metrics of prices. Part of `metrics.py`."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from actors.price_cache import PriceCache


def price_families(cache: PriceCache | None) -> Iterator[Metric]:
    """Yields every family once; those of sharing are without samples where prices are not shared."""
    requests = CounterMetricFamily("polycopy_price_requests", "Markets asked for by result", labels=["result"])
    up = GaugeMetricFamily("polycopy_price_sharing_open", "1 while the store between replicas answers")
    shared = CounterMetricFamily(
        "polycopy_price_shared",
        "Markets by where their price came from, and flights that went alone",
        labels=["result"],
    )
    failures = CounterMetricFamily("polycopy_price_sharing_failures", "Questions to the store without an answer")
    if cache is not None:
        for result, count in list(cache.results.items()):
            requests.add_metric([result], count)
        if (sharing := cache.sharing) is not None:
            up.add_metric([], float(sharing.is_open))
            failures.add_metric([], sharing.failures)
            for result, count in list(sharing.counts.items()):
                shared.add_metric([result], count)
    yield from (requests, up, shared, failures)
