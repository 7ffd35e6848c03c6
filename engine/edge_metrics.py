"""The metrics of edges that leave the process. Part of `metrics.py`; their channels in front are among the channels."""

from collections.abc import Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from engine.edges import Edges
from engine.lane_edge import LANES
from engine.runtime.edge_inbox import EdgeInbox
from engine.runtime.edge_keeper import EdgeKeeper
from engine.runtime.edge_sender import EdgeSender
from engine.wiring import Actors

LABEL = ["edge"]


def edge_families(edges: Edges | None, actors: Actors | None) -> Iterator[Metric]:
    """Yields every family once, without samples where no edge leaves."""
    lanes = None if actors is None else actors.lanes
    senders: list[EdgeSender[Any]] = [] if lanes is None else [lanes.sender]
    readers: list[tuple[EdgeInbox[Any], EdgeKeeper | None]] = []
    if edges is not None and edges.told is not None:
        senders.append(edges.told.sender)
    if edges is not None and edges.heard is not None:
        readers.append((edges.heard.inbox, edges.heard.keeper))
    if edges is not None and edges.lanes is not None:
        readers.append((edges.lanes.inbox, edges.lanes.keeper))
    if actors is not None and actors.polled is not None:
        readers.append((actors.polled.inbox, None))
    yield from _sending(senders)
    yield from _reading(readers)
    reread = CounterMetricFamily("polycopy_edge_reread", "Trades asked for again since their stream was lost")
    if lanes is not None:
        reread.add_metric([], lanes.unproved.lost)
    rows = CounterMetricFamily(
        "polycopy_edge_rows", "Rows of trades that came over an edge, as written here, by result", labels=["result"]
    )
    if edges is not None and edges.lanes is not None:
        writer = edges.lanes.writer
        for result in ("inserted", "repeated", "rejected"):
            rows.add_metric([result], getattr(writer, result))
    yield from (reread, rows)


def _sending(senders: list[EdgeSender[Any]]) -> Iterator[Metric]:
    up = GaugeMetricFamily("polycopy_edge_open", "1 while the store takes items", labels=LABEL)
    sent = CounterMetricFamily("polycopy_edge_sent", "Items that this process handed to the store", labels=LABEL)
    rerouted = CounterMetricFamily(
        "polycopy_edge_rerouted", "Items that took the way inside of the process", labels=LABEL
    )
    displaced = CounterMetricFamily("polycopy_edge_displaced", "Unread items that went for newer ones", labels=LABEL)
    restarts = CounterMetricFamily("polycopy_edge_restarts", "Times that the store began anew, empty", labels=LABEL)
    for one in senders:
        name = [one.name]
        up.add_metric(name, float(one.answers))
        sent.add_metric(name, one.appended)
        rerouted.add_metric(name, one.rerouted)
        displaced.add_metric(name, one.displaced)
        restarts.add_metric(name, one.restarts)
    yield from (up, sent, rerouted, displaced, restarts)


def _reading(readers: list[tuple[EdgeInbox[Any], EdgeKeeper | None]]) -> Iterator[Metric]:
    received = CounterMetricFamily("polycopy_edge_received", "Items handed out here for the first time", labels=LABEL)
    again = CounterMetricFamily("polycopy_edge_redelivered", "Items handed out again", labels=LABEL)
    taken = CounterMetricFamily("polycopy_edge_taken_over", "Items that another consumer left", labels=LABEL)
    late = CounterMetricFamily(
        "polycopy_edge_lost_claims", "Items that were another's when they were done", labels=LABEL
    )
    dead = CounterMetricFamily("polycopy_edge_dead_letters", "Items that nobody could handle", labels=LABEL)
    missed = CounterMetricFamily("polycopy_edge_missed", "Items gone before this reader came to them", labels=LABEL)
    failures = CounterMetricFamily("polycopy_edge_read_failures", "Requests without an answer", labels=LABEL)
    depth = GaugeMetricFamily("polycopy_edge_depth", "Items in the store that nobody has taken", labels=LABEL)
    in_hand = GaugeMetricFamily("polycopy_edge_in_hand", "Items taken and not acknowledged", labels=LABEL)
    for inbox, keeper in readers:
        name = [inbox.name]
        received.add_metric(name, inbox.received)
        again.add_metric(name, inbox.redelivered)
        taken.add_metric(name, inbox.taken_over)
        late.add_metric(name, inbox.lost_claims)
        dead.add_metric(name, inbox.dead)
        missed.add_metric(name, inbox.missed)
        failures.add_metric(name, inbox.failures)
        # Of a fan-out edge each group reads all: what one has not read is its own affair.
        if keeper is not None and keeper.figures is not None and inbox.name == LANES:
            depth.add_metric(name, keeper.figures.depth)
            in_hand.add_metric(name, keeper.figures.in_hand)
    yield from (received, again, taken, late, dead, missed, failures, depth, in_hand)
