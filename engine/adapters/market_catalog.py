"""The venue's markets over HTTP: Gamma, its answers verified by id."""

import logging
from collections.abc import Sequence

import attrs

from engine.adapters.upstream import Upstream
from protocols.markets import Market
from protocols.venue.gamma import MARKETS_PER_CALL_MAX, condition_id_spellings, decode_markets

_log = logging.getLogger(__name__)
KEYSET_MARKETS_MAX = 100


@attrs.define(eq=False, kw_only=True)
class GammaCatalog:
    """`MarketCatalog` and `NewestMarkets` of Gamma."""

    api: Upstream
    strangers: int = attrs.field(init=False, default=0)
    """Markets that came back though nobody asked for them."""

    async def markets(self, condition_ids: Sequence[str], *, closed: bool | None) -> list[Market]:
        """Returns the markets that Gamma has among the ids; one call for up to 50. Raises `TransientError`, and
        `RejectedError` when it dislikes one of the ids without saying which."""
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


def _decoded(body: bytes) -> list[Market]:
    found, malformed = decode_markets(body)
    for problem in malformed:
        _log.warning("market not understood", extra={"error": str(problem)})
    return found
