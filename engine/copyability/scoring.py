"""The document of a trader out of what became of his trades at every size."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

import attrs

from actors.rules.copyability.bootstrap import LEVEL, DayResult, Interval, interval_of
from actors.rules.copyability.capacity import Rung, capacity_of
from actors.rules.copyability.copies import Copy, summed
from actors.rules.copyability.style import StyleTrade, style_flags
from actors.rules.copyability.verdict import NOT_ENOUGH, Evidence, grade_of, sentence_of
from actors.rules.exact import CENT, EXACT, MICRO_USD, ZERO, half_up
from engine.copyability.copy_replay import CopiesAtSize
from engine.simulator.tape import TapeRow
from protocols.copyability import Copyability, CopyAssumptions, CopyCosts, SizeResult
from protocols.decisions import Reason
from protocols.timestamps import utc_datetime

MODEL = "1"
"""Changes when the same trades would give other figures."""
FILLED_MIN = Decimal("0.9")
"""Part of the wanted stakes that books have to have had before a size counts for capacity."""
NO_PURCHASES = frozenset({Reason.NOT_BUY.value})
"""Reasons that only sales have."""
_MILLION = 1_000_000
_DAY_MS = 86_400_000


@attrs.frozen(kw_only=True)
class Scored:
    """Of whom, within which time, and on what it rests."""

    wallet: str
    size_usd: Decimal
    since_ms: int
    until_ms: int
    computed_ms: int
    truncated: bool
    delay_ms: int
    delay_source: str
    depth_source: str
    seed: int = 1


def copyability_of(scored: Scored, rows: Sequence[TapeRow], found: Mapping[Decimal, CopiesAtSize]) -> Copyability:
    """Returns the document. `rows` are his trades in the order of time, `found` what became of them by size."""
    mine = found[scored.size_usd]
    copies = mine.copies
    days = days_of(copies)
    evidence = Evidence(
        copied=len(copies),
        days=len(days),
        won=sum(one.net > 0 for one in copies),
        lost=sum(one.net < 0 for one in copies),
    )
    interval = interval_of(list(days.values()), seed=scored.seed)
    grade = grade_of(interval, evidence)
    shown = None if grade == NOT_ENOUGH else interval
    sizes = [_at_size(one) for _, one in sorted(found.items())]
    capacity = capacity_of([_rung(one) for one in sizes])
    costs = summed(one.costs for one in copies)
    return Copyability(
        wallet=scored.wallet,
        size_usd=scored.size_usd,
        since=utc_datetime(scored.since_ms),
        until=utc_datetime(scored.until_ms),
        computed_at=utc_datetime(scored.computed_ms),
        grade=grade,
        sentence=sentence_of(grade, shown, evidence, scored.size_usd),
        trades=len(rows),
        decisions=len(copies) + sum(count for reason, count in mine.left_out.items() if reason not in NO_PURCHASES),
        copied=evidence.copied,
        days=evidence.days,
        won=evidence.won,
        lost=evidence.lost,
        left_out=dict(sorted(mine.left_out.items())),
        wanted=_usd(sum((one.wanted for one in copies), ZERO)),
        stake=_usd(sum((one.stake for one in copies), ZERO)),
        gross=_usd(sum((one.gross for one in copies), ZERO)),
        costs=CopyCosts(
            delay=_usd(costs.delay), spread=_usd(costs.spread), depth=_usd(costs.depth), fees=_usd(costs.fees)
        ),
        net=_usd(sum((one.net for one in copies), ZERO)),
        **_bounds(shown),
        level=LEVEL,
        # Of too few trades a size is no more evidence than a return is.
        capacity="unknown" if shown is None else capacity.state,
        capacity_usd=None if shown is None else capacity.usd,
        sizes=sizes,
        flags=style_flags([_style_trade(row) for row in rows], scored.until_ms),
        sales_below_minimum=mine.sales_below_minimum,
        truncated=scored.truncated,
        assumptions=CopyAssumptions(
            delay_ms=scored.delay_ms,
            delay_source=scored.delay_source,
            depth_source=scored.depth_source,
            model=MODEL,
        ),
    )


def days_of(copies: Sequence[Copy]) -> dict[int, DayResult]:
    """Returns stake and profit by UTC day, rising.

    A copy counts to the day on which its market was copied first: what happens to a market happens to all copies in it, on
    whatever day they were made.
    """
    stakes, nets = defaultdict[int, int](int), defaultdict[int, int](int)
    first = dict[str, int]()
    for one in sorted(copies, key=lambda one: one.trade_ms):
        day = first.setdefault(one.condition_id, one.trade_ms // _DAY_MS)
        stakes[day] += int(one.stake * _MILLION)
        nets[day] += int(one.net * _MILLION)
    return {day: DayResult(stake_micro=stakes[day], net_micro=nets[day]) for day in sorted(stakes) if stakes[day] > 0}


def _bounds(interval: Interval | None) -> dict[str, Decimal | None]:
    if interval is None:
        return {"net_return": None, "low": None, "high": None}
    return {"net_return": interval.estimate, "low": interval.low, "high": interval.high}


def _rung(one: SizeResult) -> Rung:
    """A size that the books did not have says nothing: what little was bought of it may well have gained."""
    enough = one.filled is not None and one.filled >= FILLED_MIN
    return Rung(size_usd=one.size_usd, net_return=one.net_return if enough else None)


def _at_size(one: CopiesAtSize) -> SizeResult:
    stake = sum((copy.stake for copy in one.copies), ZERO)
    wanted = sum((copy.wanted for copy in one.copies), ZERO)
    net = sum((copy.net for copy in one.copies), ZERO)
    return SizeResult(
        size_usd=one.size_usd,
        copied=len(one.copies),
        stake=_usd(stake),
        net=_usd(net),
        net_return=half_up(EXACT.divide(net, stake), MICRO_USD) if stake else None,
        filled=half_up(EXACT.divide(stake, wanted), MICRO_USD) if wanted else None,
    )


def _style_trade(row: TapeRow) -> StyleTrade:
    return StyleTrade(
        trade_ms=row.timestamp_s * 1000,
        condition_id=row.condition_id,
        token_id=row.token_id,
        side=row.side,
        usd=row.price * row.size_micro / _MILLION,
    )


def _usd(value: Decimal) -> Decimal:
    return half_up(value, CENT)
