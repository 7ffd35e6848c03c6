"""Arithmetic of gaps in the stream."""

from collections.abc import Iterable

import attrs

from protocols.ingest import GapReason, GapRequest

# A reason that asks for more work wins over one that asks for less.
_WEIGHT = {
    GapReason.RECYCLE: 0,
    GapReason.OVERFLOW: 1,
    GapReason.RECONNECT: 2,
    GapReason.STALL: 3,
    GapReason.START: 4,
}


def merged(first: GapRequest, second: GapRequest) -> GapRequest:
    """Returns one request that covers both; no start time covers every start time."""
    since = None if first.since_ms is None or second.since_ms is None else min(first.since_ms, second.since_ms)
    return GapRequest(
        reason=max(first.reason, second.reason, key=_WEIGHT.__getitem__),
        since_ms=since,
        until_ms=max(first.until_ms, second.until_ms),
    )


def coalesced(requests: Iterable[GapRequest], *, touching_ms: int) -> list[GapRequest]:
    """Returns requests with those merged whose intervals overlap or lie within `touching_ms`, earliest first."""
    ordered = sorted(requests, key=lambda request: -1 if request.since_ms is None else request.since_ms)
    result: list[GapRequest] = []
    for request in ordered:
        if result and (request.since_ms is None or request.since_ms <= result[-1].until_ms + touching_ms):
            result[-1] = merged(result[-1], request)
        else:
            result.append(request)
    return result


def window_s(request: GapRequest, *, overlap_ms: int, longest_ms: int) -> tuple[int, int]:
    """Returns the closed interval of whole seconds to read for a request that has a start time.

    The interval is widened by `overlap_ms` at its start, because rows arrive late and out of order.
    """
    since_ms = request.until_ms if request.since_ms is None else request.since_ms
    since_ms = max(min(since_ms, request.until_ms) - overlap_ms, request.until_ms - longest_ms)
    return since_ms // 1000, -(-request.until_ms // 1000)


@attrs.frozen(kw_only=True)
class Reading:
    """One planned reading of an interval."""

    due_s: float
    """Monotonic time."""
    request: GapRequest
    readings_left: int
