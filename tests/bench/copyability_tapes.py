"""Tapes for the tables of copyability: the simulator's own platform over weeks, with planted traders who know something."""

import random
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

import attrs

from engine.copyability.price_tape import PriceTape
from engine.replay.tape_markets import Resolution
from engine.simulator.market import Market, MarketDirectory
from engine.simulator.matches import MatchedFill
from engine.simulator.platform import Platform
from engine.simulator.tape import TapeRow, row_from
from protocols.copyability import SeenTrade
from protocols.decisions import MarketInput

BEGAN_S = 1_780_000_000
MICRO = Decimal(1_000_000)


@attrs.frozen(kw_only=True, slots=False)
class Tape:
    """Trades of everybody and what the markets paid."""

    rows: Sequence[TapeRow]
    resolutions: Sequence[Resolution]
    seconds: int

    @cached_property
    def prices(self) -> PriceTape:
        """Returns everybody's prices."""
        tape = PriceTape()
        tape.add(_seen(row) for row in self.rows)
        return tape


def simulated(*, days: int, matches_per_day: int, wallets: int, markets: int, seed: int) -> Tape:
    """Plays the synthetic platform, whose markets are martingales: nobody in it knows more than the price."""
    directory = MarketDirectory(markets_max=1_000_000)
    platform = Platform(
        directory, seed=seed, origin_ms=BEGAN_S * 1000, wallets=wallets, markets=markets,
        rate_scale=matches_per_day / 864_000, life_scale=20.0,
    )  # fmt: skip
    rows: list[TapeRow] = []
    while True:
        block = platform.next_block()
        if block.offset_s > days * 86_400:
            break
        at_s = BEGAN_S + int(block.offset_s)
        for change in block.before:
            change(at_s * 1000)
        for match in block.matches:
            for fill in match.fills:
                rows.append(_row(fill, match.transaction_hash, at_s))
                if fill.is_taker:
                    fill.market.record_trade(fill.outcome_index, fill.price, fill.side, 0)
    return Tape(rows=rows, resolutions=[_resolution(market) for market in directory], seconds=days * 86_400)


def with_insiders(tape: Tape, edges: Iterable[float], *, a_day: int, seed: int) -> tuple[Tape, dict[str, float]]:
    """Adds traders who buy after others, at their price, and win so much more often than the price says."""
    rng = random.Random(seed)
    paid = {one.condition_id: one.payouts for one in tape.resolutions if one.payouts}
    purchases = [row for row in tape.rows if row.side == "BUY" and row.condition_id in paid]
    buys = [row for row in purchases if Decimal("0.1") < row.price < Decimal("0.9")]
    added: list[TapeRow] = []
    known: dict[str, float] = {}
    for place, edge in enumerate(edges):
        wallet = f"0x{place + 1:040x}"
        known[wallet] = edge
        for row in rng.sample(buys, min(len(buys), a_day * tape.seconds // 86_400)):
            # He leaves out so many that lose that p (1 + edge) of the others win.
            price = min(float(row.price), 1 / (1 + edge))
            loses = paid[row.condition_id].get(row.token_id) == 0
            if loses and rng.random() < 1 - (1 / (1 + edge) - price) / (1 - price):
                continue
            fields = {**row.fields, "proxyWallet": wallet, "transactionHash": f"0x{rng.getrandbits(200):064x}"}
            made = row_from({**fields, "size": Decimal(rng.randrange(20, 400))})
            if made is not None:
                added.append(made)
    rows = sorted([*tape.rows, *added], key=lambda row: row.timestamp_s)
    return attrs.evolve(tape, rows=rows), known


def _row(fill: MatchedFill, transaction: str, at_s: int) -> TapeRow:
    market = fill.market
    fields: dict[str, Any] = {
        "proxyWallet": fill.wallet, "side": fill.side, "asset": market.token_ids[fill.outcome_index],
        "conditionId": market.condition_id, "size": Decimal(fill.size_micro) / MICRO, "price": fill.price,
        "timestamp": at_s, "transactionHash": transaction, "title": market.question, "slug": market.slug,
        "outcome": market.outcomes[fill.outcome_index], "outcomeIndex": fill.outcome_index,
    }  # fmt: skip
    row = row_from(fields)
    assert row is not None
    return row


def _resolution(market: Market) -> Resolution:
    said = MarketInput(
        condition_id=market.condition_id,
        title=market.question,
        slug=market.slug,
        category=market.category,
        outcomes=market.outcomes,
        token_ids=market.token_ids,
        fee_rate=market.fee_rate,
    )
    payouts = market.payouts
    return Resolution(
        condition_id=market.condition_id,
        slug=market.slug,
        payouts={} if payouts is None else {token: payouts[n] / MICRO for n, token in enumerate(market.token_ids)},
        closed_ms=None if payouts is None else market.closed_ms,
        market=said,
    )


def _seen(row: TapeRow) -> SeenTrade:
    return SeenTrade(
        at_ms=row.timestamp_s * 1000,
        token_id=row.token_id,
        condition_id=row.condition_id,
        price=row.price,
        size_micro=row.size_micro,
    )
