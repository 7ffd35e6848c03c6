"""Fills in whole dollars and shares, for tests of the rules of portfolios."""

from decimal import Decimal

from actors.rules.portfolio.book import CopyBook
from actors.rules.portfolio.figures import Valued, valued_at
from actors.rules.portfolio.matching import DAY_US
from actors.rules.portfolio.pricing import Price, PriceSource
from protocols.portfolio import CopiedFill, TokenFacts

NOW_US = 100 * DAY_US


def micro(amount):
    return int(Decimal(amount) * 1_000_000)


def fill(side, shares, usd, *, order=None, trader="0xa", scope="LT_A", token="t", fee="0", day=0, **settled):
    return CopiedFill(
        scope, token, order or f"{side}-{shares}-{usd}-{day}", trader, side, micro(shares), micro(usd), micro(fee),
        day * DAY_US, **settled,
    )  # fmt: skip


def booked(*fills, **payouts):
    """The book of fills, with tokens that were resolved on the fiftieth day."""
    book = CopyBook()
    book.take(fills)
    facts = {
        token: TokenFacts(token_id=token, payout=Decimal(payout), resolved_us=50 * DAY_US)
        for token, payout in payouts.items()
    }
    book.settle(facts, NOW_US)
    return book


def only(book):
    [position] = book.positions
    return position


def marked(position, price) -> Valued:
    said = None if price is None else Price(usd=Decimal(price), source=PriceSource.MARKET, at_us=None)
    return valued_at(position, said)
