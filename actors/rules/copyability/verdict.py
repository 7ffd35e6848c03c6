"""What a result says to people, and when it is too little to say anything."""

from decimal import Decimal

import attrs

from actors.rules.copyability.bootstrap import Interval

COPIES_MIN, DAYS_MIN = 40, 15
OUTCOMES_MIN = 8
"""So many of both, gains and losses: of a trader who has not lost yet, or won only twice, an interval is an illusion."""
NOT_ENOUGH = "not_enough"


@attrs.frozen(kw_only=True)
class Evidence:
    """How much was seen."""

    copied: int
    days: int
    won: int
    lost: int


def missing(evidence: Evidence) -> str | None:
    """Returns what is missing for a judgement, in words, or None."""
    wanted = (
        (evidence.copied, COPIES_MIN, "finished copies"),
        (evidence.days, DAYS_MIN, "days with such"),
        (evidence.won, OUTCOMES_MIN, "gains"),
        (evidence.lost, OUTCOMES_MIN, "losses"),
    )
    short = [f"{have} of {least} {what}" for have, least, what in wanted if have < least]
    return ", ".join(short) or None


def grade_of(interval: Interval | None, evidence: Evidence) -> str:
    """Returns good (surely more than nothing), likely, unlikely, bad (surely less), or not_enough."""
    if interval is None or missing(evidence) is not None:
        return NOT_ENOUGH
    if interval.low > 0:
        return "good"
    if interval.high < 0:
        return "bad"
    return "likely" if interval.estimate > 0 else "unlikely"


def sentence_of(grade: str, interval: Interval | None, evidence: Evidence, size_usd: Decimal) -> str:
    """Returns the result as a sentence for people."""
    if grade == NOT_ENOUGH or interval is None:
        return f"Not enough to judge: {missing(evidence) or 'every day came out the same'}."
    size = f"{size_usd.normalize():f} USD"
    made = (
        f"{_percent(interval.estimate)} of the stake after all costs, with {interval.level * 100:.0f} % confidence between "
        f"{_percent(interval.low)} and {_percent(interval.high)}"
    )
    words = {
        "good": f"Worth copying with {size} a trade: it would have made {made}.",
        "likely": f"Perhaps worth copying with {size} a trade: it would have made {made}; it may as well be nothing.",
        "unlikely": f"Probably not worth copying with {size} a trade: it would have made {made}.",
        "bad": f"Not worth copying with {size} a trade: it would have made {made}.",
    }
    return words[grade]


def _percent(value: Decimal) -> str:
    return f"{value * 100:+.1f} %"
