"""Calls upstream as the engine's own metric counts them."""

import re
from collections import Counter
from collections.abc import Mapping

_SAMPLE = re.compile(r'polycopy_upstream_requests_total{api="([^"]*)",code="[^"]*",user="([^"]*)"}')
_NOTHING: Mapping[str, float] = {}


def upstream_calls(after: Mapping[str, float], before: Mapping[str, float] = _NOTHING) -> Counter[tuple[str, str]]:
    """Returns calls by API and by the part of the engine that asks, between two readings of `/metrics`."""
    calls = Counter[tuple[str, str]]()
    for sample, count in after.items():
        if found := _SAMPLE.fullmatch(sample):
            calls[found[1], found[2]] += int(count - before.get(sample, 0.0))
    return calls
