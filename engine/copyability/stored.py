"""Traders of the database, scored: their stored trades, everybody's prices in the same markets, and the delay as measured."""

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal

import attrs

from actors.rules.copyability.book_fit import FittedModel, fitted
from config.schema import EngineConfig
from engine.copyability.copy_replay import Assumed, CopyTape, play
from engine.copyability.mirror import ladder_of
from engine.copyability.price_tape import PriceTape
from engine.copyability.scoring import Scored, copyability_of
from engine.replay.stored import resolution_of, tape_row
from engine.replay.tape_markets import Resolution
from engine.simulator.tape import TapeRow
from protocols.backtest import BacktestQuery, BacktestStore, PastTrade
from protocols.copyability import Copyability, CopyabilityInputs, MeasuredDelay
from protocols.errors import RejectedError

DAY_MS = 86_400_000
TRADES_PER_TRADER_MAX = 3_000
"""The newest ones; of who trades more than that, not all could be copied anyway."""
PRICES_MAX = 3_000_000
"""Trades of everybody in the markets of one batch: 120 MB."""
DEFAULT_DELAY = MeasuredDelay(
    delay_ms=3_000, source="assumed: the feed is 1.9 to 2.5 s behind the match, and an order takes half a second"
)


@attrs.frozen(kw_only=True)
class Wanted:
    """What is asked."""

    wallets: Sequence[str]
    size_usd: Decimal
    days: int
    now_ms: int
    delay_ms: int | None = None
    """None: as measured, else as assumed."""


@attrs.frozen(kw_only=True, eq=False)
class ReadTraders:
    """All that a computation needs: it reads nothing more."""

    wanted: Wanted
    rows: Mapping[str, Sequence[TapeRow]]
    """By wallet, each in the order of time."""
    truncated: frozenset[str]
    resolutions: Sequence[Resolution]
    prices: PriceTape
    delay: MeasuredDelay
    depth: FittedModel


async def read_traders(trades: BacktestStore, inputs: CopyabilityInputs, wanted: Wanted) -> ReadTraders:
    """Returns the trades of traders, and everybody's prices in their markets.

    Raises `TransientError`, and `RejectedError` for more prices than fit into memory.
    """
    since_ms = wanted.now_ms - wanted.days * DAY_MS
    newest = {wallet: deque[PastTrade](maxlen=TRADES_PER_TRADER_MAX + 1) for wallet in wanted.wallets}
    query = BacktestQuery(since_ms=since_ms, until_ms=wanted.now_ms, wallets=list(newest))
    page = await trades.trades(query)
    while True:
        for one in page.trades:
            newest[one.wallet].append(one)
        if page.after is None:
            break
        page = await trades.trades(query, page.after)
    rows = {wallet: [tape_row(one) for one in list(found)[-TRADES_PER_TRADER_MAX:]] for wallet, found in newest.items()}
    ids = list(dict.fromkeys(row.condition_id for of_one in rows.values() for row in of_one))
    markets = await trades.markets(ids)
    return ReadTraders(
        wanted=wanted,
        rows=rows,
        truncated=frozenset(wallet for wallet, found in newest.items() if len(found) > TRADES_PER_TRADER_MAX),
        resolutions=[resolution_of(one, None) for one in markets.values()],
        prices=await _prices(inputs, ids, since_ms, wanted.now_ms),
        delay=await _delay(inputs, wanted),
        depth=fitted(await inputs.books(wanted.now_ms)),
    )


async def _prices(inputs: CopyabilityInputs, ids: Sequence[str], since_ms: int, until_ms: int) -> PriceTape:
    tape, after = PriceTape(), None
    while True:
        # The activity of a market is that of the 24 hours before.
        page = await inputs.prices(ids, since_ms - DAY_MS, until_ms, after)
        tape.add(page.trades)
        if tape.trades > PRICES_MAX:
            raise RejectedError(f"more than {PRICES_MAX:,} trades in these markets; ask for fewer days or traders")
        after = page.after
        if after is None:
            return tape


async def _delay(inputs: CopyabilityInputs, wanted: Wanted) -> MeasuredDelay:
    if wanted.delay_ms is not None:
        return MeasuredDelay(delay_ms=wanted.delay_ms, source="as asked")
    return await inputs.delay(wanted.now_ms) or DEFAULT_DELAY


def score_read(config: EngineConfig, read: ReadTraders) -> list[Copyability]:
    """Returns a document for each wallet. It takes seconds of the processor, and runs an event loop of its own."""
    wanted = read.wanted
    tape = CopyTape(
        rows=sorted((row for of_one in read.rows.values() for row in of_one), key=lambda row: row.timestamp_s),
        resolutions=read.resolutions,
        prices=read.prices,
    )
    sizes = {wallet: ladder_of(wanted.size_usd) for wallet in read.rows}
    found = play(config, tape, sizes, Assumed(delay_ms=read.delay.delay_ms, model=read.depth.model))
    return [
        copyability_of(
            Scored(
                wallet=wallet,
                size_usd=wanted.size_usd,
                since_ms=wanted.now_ms - wanted.days * DAY_MS,
                until_ms=wanted.now_ms,
                computed_ms=wanted.now_ms,
                truncated=wallet in read.truncated,
                delay_ms=read.delay.delay_ms,
                delay_source=read.delay.source,
                depth_source=read.depth.source,
            ),
            rows,
            {size: found[wallet, size] for size in sizes[wallet]},
        )
        for wallet, rows in read.rows.items()
    ]
