"""Who earned and traded most: the leaderboards, computed from the fills that are still remembered."""

import attrs
import trio

from engine.simulator.account_events import AccountEvent
from engine.simulator.account_feed import AccountFeed
from engine.simulator.ledger import Fill
from engine.simulator.positions import positions_of
from engine.simulator.profiles import Profile
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
    volume_usd_micro: int
    """What v1 shows."""


class Rankings:
    """Standings by period and category, kept for some seconds."""

    def __init__(self, feed: AccountFeed, clock: WallClock) -> None:
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
            fills = [fill for fill in self._feed.fills(wallet) if fill.block_s >= since_s]
            if category != "OVERALL":
                fills = [fill for fill in fills if fill.market.category.upper() == category]
            if fills:
                markets = {fill.market for fill in fills}
                events = [e for e in self._feed.events(wallet) if e.block_s >= since_s and e.market in markets]
                standings.append(_standing(wallet, fills, events))
        if len(self._kept) > 50:
            self._kept.clear()
        self._kept[(period, category)] = (now_ms, standings)
        return standings


def _standing(wallet: str, fills: list[Fill], events: list[AccountEvent]) -> Standing:
    positions = positions_of(fills, events)
    return Standing(
        wallet=wallet,
        profile=fills[-1].profile,
        pnl_micro=sum(position.realized_micro + position.unrealized_micro for position in positions),
        volume_micro=sum(fill.size_micro for fill in fills),
        volume_usd_micro=sum(fill.notional_micro for fill in fills),
    )
