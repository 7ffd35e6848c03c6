"""The metrics of the wallet pollers. Part of `metrics.py`.

Labels are bounded: tiers, lanes, kinds of calls, failures and changes by their code.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from actors.polling.hot_poller import HotPoller
from actors.polling.poll_figures import PollFigures
from actors.rules.poll_queue import HotLane

TIER = ["tier"]
WHOLE = {"too_many", "endless", "malformed"}
"""Kinds of failures of lists that were read, and not to a usable end."""


def poll_families(hot: HotPoller | None, cold: PollFigures | None, now_s: float) -> list[Metric]:
    """Returns every family at monotonic time `now_s`. To be called in the loop: it walks what actors change."""
    tiers = {"hot": None if hot is None else hot.wallet_poll.figures, "cold": cold}
    figures = {tier: one for tier, one in tiers.items() if one is not None}
    return [*_hot(hot, now_s), *_calls(figures), *_found(figures)]


def _hot(hot: HotPoller | None, now_s: float) -> Iterator[Metric]:
    cycle = GaugeMetricFamily(
        "polycopy_poller_cycle_seconds", "Time between the last two polls of a wallet, median", labels=["lane"]
    )
    planned = GaugeMetricFamily(
        "polycopy_poller_planned_cycle_seconds", "Shortest cycle that rate and cool-down allow: one call a wallet"
    )
    lag = GaugeMetricFamily("polycopy_poller_due_lag_seconds", "How late the wallet is that is overdue longest")
    age = GaugeMetricFamily(
        "polycopy_poller_trades_age_seconds", "Longest time since trades of a hot wallet were read to their end"
    )
    idle = GaugeMetricFamily("polycopy_poller_idle_seconds", "Since a hot wallet was polled well, while there is any")
    wallets = GaugeMetricFamily(
        "polycopy_poller_wallets", "Hot wallets; `failing` last time, `left_out` for lack of room", labels=["lane"]
    )
    unsettled = GaugeMetricFamily(
        "polycopy_poller_watermarks_unsettled", "Watermarks that are reached and not stored yet"
    )
    store = CounterMetricFamily(
        "polycopy_poller_store_failures", "Polls that the database or the ingest kept from work"
    )
    if hot is not None:
        for lane in HotLane:
            if (cycle_s := hot.queue.cycle_s(lane)) is not None:
                cycle.add_metric([lane.name.lower()], cycle_s)
        planned.add_metric([], hot.planned_cycle_s())
        lag.add_metric([], hot.queue.lag_s(now_s))
        if (age_s := hot.trades_age_s(now_s)) is not None:
            age.add_metric([], age_s)
        if (idle_s := hot.idle_s(now_s)) is not None:
            idle.add_metric([], idle_s)
        entries = list(hot.queue.entries.values())
        counts = Counter(one.lane.name.lower() for one in entries)
        counts |= {"failing": sum(one.failures > 0 for one in entries), "left_out": hot.left_out}
        _add(wallets, [], counts)
        unsettled.add_metric([], hot.wallet_poll.reading.unsettled)
        store.add_metric([], hot.store_failures)
    yield from (cycle, planned, lag, age, idle, wallets, unsettled, store)


def _calls(figures: Mapping[str, PollFigures]) -> Iterator[Metric]:
    polls = CounterMetricFamily("polycopy_poller_polls", "Wallets polled well", labels=TIER)
    calls = CounterMetricFamily("polycopy_poller_calls", "Calls of the venue by purpose", labels=[*TIER, "kind"])
    saved = CounterMetricFamily(
        "polycopy_poller_calls_saved", "Calls not made since the stream covers the wallet", labels=[*TIER, "kind"]
    )
    failures = CounterMetricFamily(
        "polycopy_poller_failures", "Polls that the venue failed, by kind", labels=[*TIER, "kind"]
    )
    incomplete = CounterMetricFamily(
        "polycopy_poller_snapshots_incomplete", "Lists of positions that were not read to a usable end", labels=TIER
    )
    void = CounterMetricFamily(
        "polycopy_poller_snapshots_void", "Snapshots given up since another was booked meanwhile", labels=TIER
    )
    for tier, one in figures.items():
        polls.add_metric([tier], one.polls)
        _add(calls, [tier], one.calls)
        _add(saved, [tier], one.saved)
        _add(failures, [tier], one.failures)
        incomplete.add_metric([tier], sum(one.failures[kind] for kind in WHOLE))
        void.add_metric([tier], one.void)
    yield from (polls, calls, saved, failures, incomplete, void)


def _found(figures: Mapping[str, PollFigures]) -> Iterator[Metric]:
    rows = CounterMetricFamily("polycopy_poller_trade_rows", "Rows of trades handed to the ingest", labels=TIER)
    events = CounterMetricFamily(
        "polycopy_position_events", "Changes of positions; closes by their reason", labels=[*TIER, "kind"]
    )
    malformed = CounterMetricFamily(
        "polycopy_poller_rows_malformed", "Rows that were not understood", labels=[*TIER, "reason"]
    )
    for tier, one in figures.items():
        rows.add_metric([tier], one.trades)
        _add(events, [tier], one.events)
        _add(malformed, [tier], one.malformed)
    yield from (rows, events, malformed)


def _add(family: CounterMetricFamily | GaugeMetricFamily, labels: list[str], counts: Mapping[str, int]) -> None:
    for label, count in list(counts.items()):
        family.add_metric([*labels, str(label)], count)
