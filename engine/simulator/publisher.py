"""Turns matches into fills: books them, moves the markets, and sends their rows on to the stream."""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

from engine.simulator.delay_line import DelayLine
from engine.simulator.ledger import Fill, Ledger
from engine.simulator.market import ONE, Market, MarketDirectory
from engine.simulator.matches import Block, Match, MatchedFill
from engine.simulator.profiles import profile_of, shown_outcome_index
from engine.simulator.rtds_frames import ActivityFrame, activity_frames
from engine.simulator.seeds import fraction
from engine.simulator.wire_numbers import product_of
from protocols.clock import WallClock

BLOCK_DELAY_MS = 1_000
"""From the match to the time of its block."""
_FEE_STEP = Decimal("0.00001")


class Publisher:
    """The only writer of the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        markets: MarketDirectory,
        line: DelayLine,
        *,
        clock: WallClock,
        seed: int,
        lag_scale: float,
    ) -> None:
        self._ledger = ledger
        self._markets = markets
        self._line = line
        self._clock = clock
        self._seed = seed
        self.on_publish: list[Callable[[Block, int], None]] = []
        """Called with every block after it has been booked, and the time."""
        self._block_delay_ms = round(BLOCK_DELAY_MS * lag_scale)

    def publish(self, block: Block) -> None:
        """Books a block as matched now. Its rows leave for the stream together."""
        now_ms = self._clock.now_ms()
        for change in block.before:
            change(now_ms)
        frames: list[ActivityFrame] = []
        for match in block.matches:
            frames.extend(self._book(match, now_ms))
        if frames:
            self._line.put(frames)
        for tell in self.on_publish:
            tell(block, now_ms)

    def _book(self, match: Match, now_ms: int) -> list[ActivityFrame]:
        matched_ms = now_ms
        block_s = (now_ms + self._block_delay_ms) // 1_000
        if match.timestamp_s is not None:
            block_s = match.timestamp_s
            matched_ms = match.timestamp_s * 1_000
        frames: list[ActivityFrame] = []
        for place, matched in enumerate(match.fills):
            fill = self._fill(match, matched, matched_ms=matched_ms, block_s=block_s, now_ms=now_ms)
            self._ledger.add(fill)
            fill.market.record_trade(fill.outcome_index, fill.price, fill.side, fill.notional_micro)
            frames.extend(activity_frames(fill, leads=place == 0))
        _show_last_trade(match)
        return frames

    def _fill(self, match: Match, matched: MatchedFill, *, matched_ms: int, block_s: int, now_ms: int) -> Fill:
        market = matched.market
        self._markets.add(market)
        wallet = matched.wallet
        shown = matched.shown_outcome_index
        if shown is None:
            shown = shown_outcome_index(matched.outcome_index, match.transaction_hash, wallet)
        return Fill(
            sequence=self._ledger.next_sequence(),
            block_s=block_s,
            matched_ms=matched_ms + int(fraction("ms", match.transaction_hash) * 100),
            published_ms=now_ms,
            transaction_hash=match.transaction_hash,
            wallet=wallet,
            is_taker=matched.is_taker,
            side=matched.side,
            market=market,
            token_id=market.token_ids[matched.outcome_index],
            outcome_index=matched.outcome_index,
            shown_outcome_index=shown,
            size_micro=matched.size_micro,
            price=matched.price,
            fee=taker_fee(market, matched.size_micro, matched.price) if matched.is_taker else None,
            profile=matched.profile or profile_of(wallet, self._seed),
        )


def _show_last_trade(match: Match) -> None:
    """The last trade of a market is at the last maker's price in the taker's token, not at the taker's average."""
    taker, last = match.fills[0], match.fills[-1]
    if last.market is taker.market:
        same_outcome = last.outcome_index == taker.outcome_index
        taker.market.last_trade_price = last.price if same_outcome else ONE - last.price
        taker.market.last_trade_side = taker.side


def taker_fee(market: Market, size_micro: int, price: Decimal) -> Decimal | None:
    """Returns shares x rate x p(1-p) in USD with 5 decimals (venue.md §7.1), or None in a market without fees.

    Only the taker pays, which is why about 40 % of the recorded frames carry a fee.
    """
    if not market.fee_rate:
        return None
    fee = product_of(Decimal(size_micro).scaleb(-6), market.fee_rate, price, ONE - price)
    return max(fee.quantize(_FEE_STEP, ROUND_HALF_UP), _FEE_STEP).normalize()
