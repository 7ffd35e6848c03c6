"""Made-up traders and markets: tapes for copyability, with the truth known."""

import random
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from config.loader import load_config
from engine.copyability.copy_replay import Assumed, CopiesAtSize, CopyTape, play
from engine.copyability.price_tape import PriceTape
from engine.replay.tape_markets import Resolution
from engine.simulator.tape import TapeRow, row_from
from protocols.copyability import SeenTrade
from protocols.decisions import MarketInput

BEGAN_S = 1_760_000_000
DAY_S = 86_400
CONFIG = load_config(environ={})
LEADER = "0x" + "1" * 40
OTHER = "0x" + "2" * 40


def token(market: int, side: int = 0) -> str:
    return str(10_000 + 2 * market + side)


def condition(market: int) -> str:
    return f"0x{market:064x}"


def trade(
    market: int, at_s: int, price: object, *, side: str = "BUY", size: object = 100, wallet: str = LEADER, outcome: int = 0,
    transaction: int | None = None,
) -> TapeRow:  # fmt: skip
    number = (
        transaction if transaction is not None else hash((market, at_s, str(price), side, str(size), wallet)) % 2**60
    )
    fields: dict[str, Any] = {
        "proxyWallet": wallet, "side": side, "asset": token(market, outcome), "conditionId": condition(market),
        "size": Decimal(str(size)), "price": Decimal(str(price)), "timestamp": BEGAN_S + at_s,
        "transactionHash": f"0x{number:064x}", "title": f"Rain on day {market}?", "slug": f"rain-{market}",
        "outcome": ("Yes", "No")[outcome], "outcomeIndex": outcome,
    }  # fmt: skip
    row = row_from(fields)
    assert row is not None
    return row


def market(number: int, *, wins: bool | None, closed_s: int | None = None, rate: str | None = None) -> Resolution:
    """A market that is won by its first token, lost, or still open (None)."""
    tokens = (token(number), token(number, 1))
    payouts = {} if wins is None else {tokens[0]: Decimal(int(wins)), tokens[1]: Decimal(1 - int(wins))}
    said = MarketInput(
        condition_id=condition(number),
        title=f"Rain on day {number}?",
        slug=f"rain-{number}",
        outcomes=("Yes", "No"),
        token_ids=tokens,
        fee_rate=None if rate is None else Decimal(rate),
    )
    return Resolution(
        condition_id=condition(number),
        slug=said.slug,
        payouts=payouts,
        closed_ms=None if closed_s is None else (BEGAN_S + closed_s) * 1000,
        market=said,
    )


def prices_of(rows: Iterable[TapeRow]) -> PriceTape:
    tape = PriceTape()
    tape.add(
        SeenTrade(
            at_ms=row.timestamp_s * 1000,
            token_id=row.token_id,
            condition_id=row.condition_id,
            price=row.price,
            size_micro=row.size_micro,
        )
        for row in sorted(rows, key=lambda row: row.timestamp_s)
    )
    return tape


def copied(
    rows: Sequence[TapeRow],
    markets: Sequence[Resolution],
    sizes: Sequence[object] = (20,),
    *,
    others: Sequence[TapeRow] = (),
    assumed: Assumed | None = None,
    wallet: str = LEADER,
) -> dict[Decimal, CopiesAtSize]:
    """What copying a trader came to, by size; `others` are trades of other people, for their prices."""
    ordered = sorted(rows, key=lambda row: row.timestamp_s)
    tape = CopyTape(rows=ordered, resolutions=markets, prices=prices_of([*rows, *others]))
    usd = [Decimal(str(size)) for size in sizes]
    found = play(CONFIG, tape, {wallet: usd}, assumed or Assumed(delay_ms=3_000))
    return {size: found[wallet, size] for size in usd}


def planted(
    seed: int, *, days: int, a_day: int, edge: float, rate: str = "0.05"
) -> tuple[list[TapeRow], list[Resolution]]:
    """A trader whose purchases win with p (1 + edge), each in a market of its own that ends some hours later."""
    rng = random.Random(seed)
    rows, markets = [], []
    for number in range(days * a_day):
        at_s = number // a_day * DAY_S + rng.randrange(DAY_S // 2)
        price = Decimal(rng.randrange(30, 71)) / 100
        wins = rng.random() < float(price) * (1 + edge)
        rows.append(trade(number, at_s, price))
        markets.append(market(number, wins=wins, closed_s=at_s + 4 * 3_600, rate=rate))
    return rows, markets
