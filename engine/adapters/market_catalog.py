"""The venue's markets over HTTP: Gamma, its answers verified by id. Whoever can wait asks in calls of others first."""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import attrs

from config.schema import VenueConfig
from engine.adapters.upstream import Upstream, open_upstream
from engine.runtime.market_rides import MarketRides
from engine.runtime.traffic import Traffic
from protocols.errors import MalformedError
from protocols.markets import Market
from protocols.venue.gamma import MARKETS_PER_CALL_MAX, condition_id_spellings, decode_market, decode_markets

_log = logging.getLogger(__name__)
KEYSET_MARKETS_MAX = 100


@attrs.define(eq=False, kw_only=True)
class GammaCatalog:
    """`MarketCatalog` and `NewestMarkets` of Gamma."""

    api: Upstream
    shown_rides: MarketRides | None = None
    """Where ids wait for a call of somebody else's, which are asked for with the filter that Gamma has by itself."""
    closed_rides: MarketRides | None = None
    """The same for ids among closed markets; such calls are rarer."""
    hailed_rides: MarketRides | None = None
    """Instead of `shown_rides`, for those who cannot wait: such a call departs at once, or none is waited for."""
    strangers: int = attrs.field(init=False, default=0)
    """Markets that came back though nobody asked for them."""

    async def markets(self, condition_ids: Sequence[str], *, closed: bool | None) -> list[Market]:
        """Returns the markets that Gamma has among the ids: one call for up to 100, every spelling counted, or none where calls
        of others have brought them. Raises `TransientError`, and `RejectedError` when it dislikes one of them."""
        rides = self.closed_rides if closed else None if closed is False else self.shown_rides
        if closed is None and self.hailed_rides is not None:
            told = await self.hailed_rides.told_at_once(condition_ids)
        else:
            told = {} if rides is None else await rides.told(condition_ids, closed=closed is True)
        found = _brought(told)
        left = [condition_id for condition_id in condition_ids if condition_id not in told]
        return [*found, *await self._ask(left, closed)] if left or not condition_ids else found

    async def _ask(self, condition_ids: Sequence[str], closed: bool | None) -> list[Market]:
        params: list[tuple[str, str | int]] = [
            ("condition_ids", spelling) for spelling in condition_id_spellings(condition_ids)
        ]
        params += [("limit", MARKETS_PER_CALL_MAX), ("include_tag", "true")]
        if closed is not None:
            params.append(("closed", "true" if closed else "false"))
        found = _decoded(await self.api.get("/markets", params))
        wanted = set(condition_ids)
        verified = {market.condition_id: market for market in found if market.condition_id in wanted}
        self.strangers += len(found) - len(verified)
        return list(verified.values())

    async def newest(self, markets_max: int) -> list[Market]:
        """Returns the open markets that were made last, newest first. Raises `TransientError` and `RejectedError`.

        By the keyset list: answers of the legacy one may be five minutes old (venue.md §3.1).
        """
        params: list[tuple[str, str | int]] = [("order", "id"), ("ascending", "false"), ("closed", "false")]
        params += [("limit", min(markets_max, KEYSET_MARKETS_MAX)), ("include_tag", "true")]
        return _decoded(await self.api.get("/markets/keyset", params))


@asynccontextmanager
async def open_catalog(venue: VenueConfig, traffic: Traffic, *, rate_per_s: float) -> AsyncIterator[GammaCatalog]:
    """Yields a catalogue over lines of its own, for a process in which no call of others is there to ride in."""
    async with open_upstream(
        "gamma", venue.gamma_url, venue, rate_per_s=rate_per_s, traffic=traffic, user="registry"
    ) as gamma:
        yield GammaCatalog(api=gamma)


def _brought(told: Mapping[str, bytes | None]) -> list[Market]:
    found = list[Market]()
    for item in told.values():
        if item is None:
            continue
        try:
            found.append(decode_market(item))
        except MalformedError as error:
            _log.warning("market not understood", extra={"error": str(error)})
    return found


def _decoded(body: bytes) -> list[Market]:
    found, malformed = decode_markets(body)
    for problem in malformed:
        _log.warning("market not understood", extra={"error": str(problem)})
    return found
