"""Prices over HTTP: Gamma for many markets at once, the CLOB for one, and the CLOB's books, their tops and whole."""

import logging
from collections.abc import Callable, Sequence

import attrs
import msgspec
import trio

from engine.adapters.upstream import Params, Upstream
from engine.runtime.market_rides import MarketRides
from protocols.clock import WallClock
from protocols.decisions import Book
from protocols.errors import MalformedError, RejectedError, TransientError
from protocols.prices import BookTop, Found, MarketFacts, MarketKey
from protocols.venue.clob_books import book_levels
from protocols.venue.clob_markets import book_top, clob_facts
from protocols.venue.gamma import MARKETS_PER_CALL_MAX, condition_id_spellings, named_in, split_markets
from protocols.venue.gamma_quotes import facts_in

_log = logging.getLogger(__name__)
# The keyset list first: answers of the legacy one come from a cache and may be five minutes old (venue.md §3.1).
PATHS = ("/markets/keyset", "/markets")
PARAMETERS = {MarketKey.CONDITION: "condition_ids", MarketKey.SLUG: "slug", MarketKey.TOKEN: "clob_token_ids"}
DECODED_AT_ONCE = 10
"""Then others may run: a hundred markets take some milliseconds."""


@attrs.define(eq=False, kw_only=True)
class GammaPrices:
    """`PriceUpstream` of Gamma. Its calls take those along who want whole markets and can wait (`MarketRides`)."""

    api: Upstream
    rides: MarketRides = attrs.field(factory=MarketRides)
    strangers: int = attrs.field(init=False, default=0)
    """Markets that came back though nobody asked for them."""
    _path: str = attrs.field(init=False, default=PATHS[0])

    async def find(self, key: MarketKey, values: Sequence[str], *, closed: bool | None) -> Found:
        """One call. Raises `TransientError` and `RejectedError`."""
        wanted = condition_id_spellings(values) if key is MarketKey.CONDITION else values
        params: list[tuple[str, str | int]] = [(PARAMETERS[key], value) for value in wanted]
        params.append(("limit", MARKETS_PER_CALL_MAX))
        if closed is not None:
            params.append(("closed", "true" if closed else "false"))
        if key is MarketKey.CONDITION and closed is not False:
            items = await self._carrying(params, values, closed is True)
        else:
            items = split_markets(await self._get(params))
        names, markets, complete = set(values), list[MarketFacts](), True
        for number, item in enumerate(items):
            if number % DECODED_AT_ONCE == DECODED_AT_ONCE - 1:
                await trio.lowlevel.checkpoint()
            try:
                facts = facts_in(item)
            except MalformedError as error:
                complete = False
                _log.warning("market not understood", extra={"error": str(error)})
                continue
            if names.intersection(_NAMES[key](facts)):
                markets.append(facts)
            else:
                self.strangers += 1
        return Found(markets=markets, complete=complete)

    async def _carrying(self, params: Params, values: Sequence[str], closed: bool) -> list[msgspec.Raw]:
        """Asks with riders in the free places, and returns the markets that were wanted here; no rider costs a price."""
        room = MARKETS_PER_CALL_MAX - len(condition_id_spellings(values))
        with self.rides.carrying(room, closed=closed) as carriage:
            if not carriage.riders:
                items = split_markets(await self._get(params))
                carriage.bring({})
                return items
            more = [(PARAMETERS[MarketKey.CONDITION], spelling) for spelling in condition_id_spellings(carriage.riders)]
            try:
                items = split_markets(await self._get([*more, *params, ("include_tag", "true")]))
            except RejectedError:
                carriage.put_out()
                return split_markets(await self._get(params))
            named, only_riders = [(named_in(item), item) for item in items], carriage.riders.keys() - set(values)
            carriage.bring({id_: bytes(item) for id_, item in named if id_ is not None})
            return [item for id_, item in named if id_ not in only_riders]

    async def _get(self, params: Params) -> bytes:
        """Asks by the path that worked last, and by the other one when that is gone."""
        try:
            return await self.api.get(self._path, params)
        except RejectedError as error:
            if not _is_gone(error):
                raise
        other = PATHS[1 - PATHS.index(self._path)]
        try:
            body = await self.api.get(other, params)
        except RejectedError as error:
            if _is_gone(error):
                raise TransientError(f"gamma has no list of markets: {error}") from None
            raise
        _log.warning("another list of markets answers", extra={"path": other})
        self._path = other
        return body


def _is_gone(error: RejectedError) -> bool:
    return any(f"answered {status}" in str(error) for status in (404, 410))


_NAMES: dict[MarketKey, Callable[[MarketFacts], Sequence[str | None]]] = {
    MarketKey.CONDITION: lambda facts: (facts.condition_id,),
    MarketKey.SLUG: lambda facts: (facts.slug,),
    MarketKey.TOKEN: lambda facts: facts.token_ids,
}


@attrs.define(eq=False, kw_only=True)
class ClobPrices:
    """`PriceFallback` and `BookUpstream` of the CLOB."""

    api: Upstream

    async def market(self, condition_id: str) -> MarketFacts | None:
        """One call. Raises `TransientError`."""
        try:
            body = await self.api.get(f"/markets/{condition_id}")
        except RejectedError:
            return None
        return clob_facts(body, condition_id)

    async def book(self, token_id: str) -> BookTop | None:
        """One call. Raises `TransientError`."""
        try:
            body = await self.api.get("/book", [("token_id", token_id)])
        except RejectedError:
            return None
        return book_top(body, token_id)


@attrs.define(eq=False, kw_only=True)
class ClobDepths:
    """`BookDepths` of the CLOB."""

    api: Upstream
    clock: WallClock

    async def depth(self, token_id: str) -> Book | None:
        """One call. Raises `TransientError`."""
        asked_ms = self.clock.now_ms()
        try:
            body = await self.api.get("/book", [("token_id", token_id)])
        except RejectedError:
            return None
        return book_levels(body, token_id, asked_ms)
