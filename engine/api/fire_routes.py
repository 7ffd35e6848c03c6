"""The fire feed: recent BUY trades of the traders with the best records, as far as they are worth copying (domain.md §9)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import msgspec

from actors.rules.feed_cursor import TEXT_CHARS_MAX, cursor_text, position_in
from actors.rules.fire import Fire, fire_of
from actors.rules.polysignal import PolySignal, SignalInputs, known_conviction
from engine.api.ft_access import limit_param
from engine.api.params import Param
from engine.api.route import ApiRoute, Call, Struct
from protocols.clock import WallClock
from protocols.discover import DiscoverLists, FireCandidate
from protocols.feed import FeedPosition, FeedRow
from protocols.timestamps import utc_datetime
from protocols.users import Scope

WINDOW_DAYS = 7
CANDIDATES_AT_ONCE = 250
"""Of at most a thousand: 100 traders, 10 trades each."""


class FireRow(FeedRow, frozen=True, rename="camel", kw_only=True):
    """A trade that is fire, and why."""

    reasons: tuple[str, ...]
    """winRate, roi, conviction: at least one."""
    signal: PolySignal
    """BUY or STRONG_BUY."""
    win_rate: Decimal
    """Of the trader's trades that were resolved within thirty days."""
    resolved_count: int
    roi: Decimal | None
    """Of these, else of all his resolved trades; a part of one."""
    conviction: Decimal | None
    """The trade as a multiple of his average; null when that is not known."""
    notional: Decimal
    """USD."""


class FirePage(Struct):
    """Trades that are fire, newest first."""

    trades: list[FireRow]
    next_cursor: str | None


@attrs.define(eq=False)
class _Handlers:
    lists: DiscoverLists
    clock: WallClock

    async def page(self, call: Call) -> FirePage:
        limit: int = call.params["limit"]
        since = utc_datetime(self.clock.now_ms()) - timedelta(days=WINDOW_DAYS)
        found: list[tuple[FireCandidate, FireRow]] = []
        place: FeedPosition | None = call.params["cursor"]
        while len(found) <= limit:
            candidates = await self.lists.fire_candidates(since, place, CANDIDATES_AT_ONCE)
            found += [(one, row) for one in candidates if (row := _judged(one)) is not None]
            if len(candidates) < CANDIDATES_AT_ONCE:
                break
            place = candidates[-1].position
        cursor = cursor_text(found[limit - 1][0].position) if len(found) > limit else None
        return FirePage(trades=[row for _, row in found[:limit]], next_cursor=cursor)


def _judged(candidate: FireCandidate) -> FireRow | None:
    row = candidate.row
    conviction = known_conviction(candidate.trade_usd, candidate.average_usd)
    inputs = SignalInputs(
        price=row.price,
        conviction=conviction,
        win_rate=candidate.win_rate,
        resolved_count=candidate.resolved_count,
        probability=None,
        title=row.title,
    )
    fire = fire_of(inputs, candidate.roi)
    return None if fire is None else _fire_row(candidate, fire, conviction)


def _fire_row(candidate: FireCandidate, fire: Fire, conviction: Decimal | None) -> FireRow:
    return FireRow(
        **msgspec.structs.asdict(candidate.row),
        reasons=tuple(reason.value for reason in fire.reasons),
        signal=fire.signal,
        win_rate=candidate.win_rate,
        resolved_count=candidate.resolved_count,
        roi=candidate.roi,
        conviction=conviction,
        notional=candidate.trade_usd,
    )


def fire_routes(lists: DiscoverLists, clock: WallClock) -> list[ApiRoute]:
    """Returns the route of the fire feed."""
    read: dict[str, Any] = {"method": "GET", "scope": Scope.READ}
    cursor = Param(name="cursor", doc="nextCursor of the page before", parse=position_in,
                   schema={"type": "string", "maxLength": TEXT_CHARS_MAX})  # fmt: skip
    return [
        ApiRoute(
            **read,
            path="/api/fire-feed",
            handler=_Handlers(lists, clock).page,
            summary="Trades worth copying: the last 10 buys of a week of each of the 100 traders with the best win rate of "
            "thirty days, where the trader or the trade is strong and its PolySignal says to buy",
            answer=FirePage,
            params=(limit_param(50, 200, "trades"), cursor),
        )
    ]
