"""PolySignal over HTTP: the score of one trade, and of the rows of a page of the feed."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from actors.rules.polysignal import PolySignal, SignalInputs, polysignal
from engine.api.errors import not_found
from engine.api.route import ApiRoute, Call, Struct
from engine.api.why_routes import trade_id_param
from protocols.feed import FeedRow
from protocols.users import Scope


class SignalStore(Protocol):
    """Where the inputs come from."""

    async def inputs(self, trade_ids: Sequence[str]) -> Mapping[str, SignalInputs]:
        """Returns what is known about those of the trades that are stored, at once. Raises `TransientError`."""
        ...


class SignalAnswer(Struct):
    """The signal of one trade."""

    trade_id: str
    signal: PolySignal


class SignalledRow(FeedRow, frozen=True, rename="camel", kw_only=True):
    """A trade of the feed with its signal."""

    signal: PolySignal | msgspec.UnsetType | None = msgspec.UNSET
    """Only where it was asked for; null when the trade is gone by now."""


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


async def with_signals(store: SignalStore, rows: Sequence[FeedRow]) -> tuple[SignalledRow, ...]:
    """Returns rows of the feed with their signals. Raises `TransientError`."""
    found = await store.inputs([row.trade_id for row in rows]) if rows else {}
    return tuple(
        SignalledRow(
            **msgspec.structs.asdict(row),
            signal=polysignal(found[row.trade_id]) if row.trade_id in found else None,
        )
        for row in rows
    )
