"""PolySignal over HTTP: the score of one trade, and of the rows of a page of the feed."""

from collections.abc import Sequence

import msgspec

from actors.rules.polysignal import PolySignal, polysignal
from engine.api.errors import not_found
from engine.api.feed_search import FeedSearch, SignalStore
from engine.api.route import ApiRoute, Call, Struct
from engine.api.why_routes import trade_id_param
from protocols.feed import FeedRow, TradeCopy
from protocols.users import Scope


class SignalAnswer(Struct):
    """The signal of one trade."""

    trade_id: str
    signal: PolySignal


class SignalledRow(FeedRow, frozen=True, rename="camel", kw_only=True):
    """A trade of the feed with its signal."""

    signal: PolySignal | msgspec.UnsetType | None = msgspec.UNSET
    """Only where it was asked for; null when the trade is gone by now."""
    copied_by: tuple[TradeCopy, ...] | msgspec.UnsetType = msgspec.UNSET
    """Strategies of the caller's that copied it; only with the signal."""


class SignalledFeed(Struct):
    """One page of the feed, newest first."""

    trades: tuple[SignalledRow, ...]
    next_cursor: str | None
    """The `cursor` of the next page; null at the end."""


def signal_routes(store: SignalStore) -> list[ApiRoute]:
    """Returns the route of one signal."""

    async def signal(call: Call) -> SignalAnswer:
        trade_id: str = call.params["tradeId"]
        inputs = (await store.inputs([trade_id])).get(trade_id)
        if inputs is None:
            raise not_found("unknown_trade", "there is no such trade, or it is no longer kept")
        return SignalAnswer(trade_id=trade_id, signal=polysignal(inputs))

    return [
        ApiRoute(
            method="GET",
            path="/api/polysignal",
            handler=signal,
            scope=Scope.READ,
            summary="A score from 0 to 100 for a stored trade, with the five indicators that it is made of",
            answer=SignalAnswer,
            params=(trade_id_param(),),
            refusals={404: "there is no such trade"},
        )
    ]


async def with_signals(search: FeedSearch, user_id: str, rows: Sequence[FeedRow]) -> tuple[SignalledRow, ...]:
    """Returns rows of the feed with their signals and the copies of a user. Raises `TransientError`."""
    signals, copies = await search.told(rows)
    return tuple(
        SignalledRow(
            **msgspec.structs.asdict(row),
            signal=signals.get(row.trade_id),
            copied_by=tuple(copy for owner_id, copy in copies.get(row.trade_id, ()) if owner_id == user_id),
        )
        for row in rows
    )
