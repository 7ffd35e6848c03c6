"""How good probabilities are: AUC, Brier score, log loss, calibration, and whether one set is better than another.

An event is a trader in a market. However often he buys there, it counts once: each trade weighs one through the number of his
trades there. What ends on one day is resampled as one block, since markets of a day hang together, and all trades of a market
are of one day.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from math import log, sqrt
from random import Random

from protocols.score_models import CalibrationBin, Gain, Marks

RESAMPLINGS = 1_000
BINS = 10
_LOWEST = 1e-9
"""A probability of 0 that was wrong costs 20.7, not infinity."""
_Z = 1.959963984540054


def event_weights(events: Sequence[Hashable]) -> list[float]:
    """Returns for each trade one through the number of trades of its event."""
    counts: dict[Hashable, int] = defaultdict(int)
    for event in events:
        counts[event] += 1
    return [1 / counts[event] for event in events]


def marks(probabilities: Sequence[float], won: Sequence[float], weights: Sequence[float]) -> Marks:
    """Returns AUC, Brier score and log loss; `won` is 1 or 0. At least one trade."""
    total = brier = loss = 0.0
    for p, y, w in zip(probabilities, won, weights, strict=True):
        total += w
        brier += w * (p - y) ** 2
        loss -= w * log(max(_LOWEST, p if y else 1 - p))
    return Marks(auc=auc(probabilities, won, weights), brier=brier / total, log_loss=loss / total)


def auc(probabilities: Sequence[float], won: Sequence[float], weights: Sequence[float]) -> float | None:
    """Returns the chance that a winner has the higher probability of two, equal ones counting half; None without both."""
    below = pairs = winners = losers = 0.0
    at = 0
    order = sorted(range(len(won)), key=probabilities.__getitem__)
    while at < len(order):
        tied, tied_won, tied_lost = probabilities[order[at]], 0.0, 0.0
        while at < len(order) and probabilities[order[at]] == tied:
            weight = weights[order[at]]
            if won[order[at]]:
                tied_won += weight
            else:
                tied_lost += weight
            at += 1
        pairs += tied_won * (below + tied_lost / 2)
        below += tied_lost
        winners, losers = winners + tied_won, losers + tied_lost
    return pairs / (winners * losers) if winners and losers else None


def brier_gain(
    model: Sequence[float],
    baseline: Sequence[float],
    won: Sequence[float],
    weights: Sequence[float],
    blocks: Sequence[int],
    *,
    rng: Random,
) -> Gain:
    """Returns the Brier score of a model less a baseline's, with the 2.5th and 97.5th percentile of a block bootstrap."""
    sums: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for p, q, y, w, block in zip(model, baseline, won, weights, blocks, strict=True):
        one = sums[block]
        one[0] += w * ((p - y) ** 2 - (q - y) ** 2)
        one[1] += w
    found = [sums[block] for block in sorted(sums)]
    mean = sum(one[0] for one in found) / sum(one[1] for one in found)
    resampled = []
    for _ in range(RESAMPLINGS):
        drawn = rng.choices(found, k=len(found))
        resampled.append(sum(one[0] for one in drawn) / sum(one[1] for one in drawn))
    resampled.sort()
    return Gain(mean=mean, low=_percentile(resampled, 0.025), high=_percentile(resampled, 0.975))


def calibration(probabilities: Sequence[float], won: Sequence[float], weights: Sequence[float]) -> list[CalibrationBin]:
    """Returns bins of equal width that hold trades, lowest first."""
    sums = [[0.0, 0.0, 0.0, 0.0] for _ in range(BINS)]
    for p, y, w in zip(probabilities, won, weights, strict=True):
        one = sums[min(BINS - 1, int(p * BINS))]
        one[0] += 1
        one[1] += w
        one[2] += w * p
        one[3] += w * y
    found = []
    for at, (rows, events, of_p, of_won) in enumerate(sums):
        if rows:
            low, high = wilson(of_won / events, events)
            found.append(
                CalibrationBin(
                    low=at / BINS,
                    high=(at + 1) / BINS,
                    rows=int(rows),
                    events=events,
                    mean=of_p / events,
                    won=of_won / events,
                    won_low=low,
                    won_high=high,
                )
            )
    return found


def wilson(share: float, count: float) -> tuple[float, float]:
    """Returns the interval of 95 % of a share that was seen in `count` independent cases (Wilson 1927)."""
    centre = share + _Z**2 / (2 * count)
    spread = _Z * sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    below = 1 + _Z**2 / count
    return max(0.0, (centre - spread) / below), min(1.0, (centre + spread) / below)


def _percentile(ordered: Sequence[float], share: float) -> float:
    """Linear between the two nearest."""
    place = share * (len(ordered) - 1)
    at = int(place)
    after = min(at + 1, len(ordered) - 1)
    return ordered[at] + (place - at) * (ordered[after] - ordered[at])
