"""What copying a trader would have made, as lines of text."""

from collections.abc import Iterator
from decimal import Decimal

from engine.cli.figures import moment_text
from engine.cli.terminal import plain, table_lines
from protocols.copyability import Copyability

REASON_WORDS = {
    "unresolved": "still open",
    "unknown_market": "in markets that are not known here",
    "below_minimum": "below the venue's minimum of 1 USD",
    "book_unavailable": "without a price to buy at",
    "slippage_exceeded": "nothing left in the book",
    "market_resolved": "in markets that were decided before we could buy",
    "not_buy": "sales of what had not been copied",
    "price_out_of_range": "at a price that nobody sells at",
    "zero_stake": "a stake that buys nothing",
}


def copyability_lines(one: Copyability) -> Iterator[str]:
    """Returns a result as lines: the sentence first, then what it follows from."""
    yield one.wallet
    yield one.sentence
    yield (
        f"{one.copied:,} of {one.decisions:,} purchases copied and ended, on {one.days} days from {one.since.date()} to "
        f"{one.until.date()}; {one.won:,} gained, {one.lost:,} lost{'; only his newest trades' if one.truncated else ''}"
    )
    for reason, count in sorted(one.left_out.items(), key=lambda item: (-item[1], item[0])):
        yield f"  left out: {count:,} {REASON_WORDS.get(reason, plain(reason))}"
    if one.copied:
        costs = one.costs
        yield (
            f"staked {one.stake:,.2f} USD; at his prices {one.gross:+,.2f}, delay {-costs.delay:+,.2f}, spread "
            f"{-costs.spread:+,.2f}, thin books {-costs.depth:+,.2f}, fees {-costs.fees:+,.2f}: {one.net:+,.2f} USD"
        )
        yield _capacity(one)
        yield ""
        yield from table_lines(
            ("USD a trade", "copied", "staked", "net", "return", "filled"),
            [
                (
                    f"{size.size_usd.normalize():f}{' *' if size.size_usd == one.size_usd else ''}",
                    f"{size.copied:,}", f"{size.stake:,.2f}", f"{size.net:+,.2f}", _percent(size.net_return),
                    _percent(size.filled),
                )
                for size in one.sizes
            ],
            right=range(6),
        )  # fmt: skip
    for flag in one.flags:
        yield f"note: {flag.name.replace('_', ' ')}: {plain(flag.evidence)}"
    assumed = one.assumptions
    yield f"delay {assumed.delay_ms / 1000:g} s ({assumed.delay_source}); books {assumed.depth_source}; {_when(one)}"


def _capacity(one: Copyability) -> str:
    usd = "" if one.capacity_usd is None else f"{one.capacity_usd.normalize():,f} USD"
    return {
        "none": "capacity: none; it loses at the smallest size",
        "found": f"capacity: the profit is gone at about {usd} a trade",
        "above": f"capacity: more than {usd} a trade",
        "unknown": "capacity: not known",
    }[one.capacity]


def _percent(value: Decimal | None) -> str:
    return "-" if value is None else f"{value * 100:.1f} %"


def _when(one: Copyability) -> str:
    return f"computed {moment_text(one.computed_at)}"
