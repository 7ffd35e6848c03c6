"""At which size copying a trader stops being worth it: where the net return over a ladder of sizes falls to nothing."""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal

import attrs

from actors.rules.exact import EXACT


@attrs.frozen(kw_only=True)
class Rung:
    """One size of the ladder."""

    size_usd: Decimal
    net_return: Decimal | None
    """Net profit by stake; None where nothing was copied."""


@attrs.frozen(kw_only=True)
class Capacity:
    """Up to which size there was a profit."""

    state: str
    """`none`: not at the smallest size; `found`; `above`: at every size that was tried; `unknown`: nothing was copied."""
    usd: Decimal | None
    """A trade; of `above` the greatest size that was tried."""


def capacity_of(rungs: Sequence[Rung]) -> Capacity:
    """Returns the first size, rising, at which nothing is left; between two rungs by straight line, rounded down to dollars."""
    known = sorted((one for one in rungs if one.net_return is not None), key=lambda one: one.size_usd)
    if not known:
        return Capacity(state="unknown", usd=None)
    before: Rung | None = None
    for rung in known:
        assert rung.net_return is not None
        if rung.net_return <= 0:
            return Capacity(state="none", usd=None) if before is None else _between(before, rung)
        before = rung
    return Capacity(state="above", usd=known[-1].size_usd)


def _between(gains: Rung, loses: Rung) -> Capacity:
    assert gains.net_return is not None
    assert loses.net_return is not None
    part = EXACT.divide(gains.net_return, EXACT.subtract(gains.net_return, loses.net_return))
    size = EXACT.fma(EXACT.subtract(loses.size_usd, gains.size_usd), part, gains.size_usd)
    return Capacity(state="found", usd=size.quantize(Decimal(1), ROUND_DOWN))
