"""Who earned and traded most: the leaderboards, computed from the fills that are still remembered."""

from collections import defaultdict

import attrs
import trio

from engine.simulator.ledger import Fill
from engine.simulator.positions import positions_of
from engine.simulator.profiles import Profile
from engine.simulator.trade_query import TradeFeed
from protocols.clock import WallClock

PERIODS_S = {"DAY": 86_400, "WEEK": 7 * 86_400, "MONTH": 30 * 86_400, "ALL": None}
_FRESH_MS = 15_000
_WALLETS_PER_CHECKPOINT = 200


@attrs.frozen(kw_only=True)
class Standing:
    """One wallet's result in a period."""

    wallet: str
    profile: Profile
    pnl_micro: int
    volume_micro: int
    """Shares, not dollars (venue.md §5.1)."""


class Rankings:
    """Standings by period and category, kept for some seconds."""

    def __init__(self, feed: TradeFeed, clock: WallClock) -> None:
        self._feed = feed
        self._clock = clock
        self._kept: dict[tuple[str, str], tuple[int, list[Standing]]] = {}

    async def standings(self, period: str, category: str) -> list[Standing]:
        """Returns every wallet with fills, unsorted. `period` is a key of `PERIODS_S`; category OVERALL means all."""
        now_ms = self._clock.now_ms()
        kept = self._kept.get((period, category))
        if kept is not None and kept[0] + _FRESH_MS > now_ms:
            return kept[1]
        length_s = PERIODS_S[period]
        since_s = now_ms // 1000 - length_s if length_s is not None else 0
        standings = []
        for number, wallet in enumerate(self._feed.wallets()):
            if number % _WALLETS_PER_CHECKPOINT == 0:
                await trio.lowlevel.checkpoint()
            fills = [fill for fill in self._feed.of_wallet(wallet) if fill.block_s >= since_s]
            if category != "OVERALL":
                fills = [fill for fill in fills if fill.market.category.upper() == category]
            if fills:
                standings.append(_standing(wallet, fills))
        if len(self._kept) > 50:
            self._kept.clear()
        self._kept[(period, category)] = (now_ms, standings)
        return standings


def _standing(wallet: str, fills: list[Fill]) -> Standing:
    earned: defaultdict[str, int] = defaultdict(int)
    for position in positions_of(fills):
        earned[wallet] += position.realized_micro + position.unrealized_micro
    return Standing(
        wallet=wallet,
        profile=fills[-1].profile,
        pnl_micro=earned[wallet],
        volume_micro=sum(fill.size_micro for fill in fills),
    )
