"""The venue's markets over HTTP: Gamma, its answers verified by id."""

import logging
from collections.abc import Sequence

import attrs

from engine.adapters.upstream import Upstream
from protocols.markets import Market
from protocols.venue.gamma import MARKETS_PER_CALL_MAX, condition_id_spellings, decode_markets

_log = logging.getLogger(__name__)


@attrs.define(eq=False, kw_only=True)
class GammaCatalog:
    """`MarketCatalog` of Gamma."""

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
        body = await self.api.get("/markets", params)
        found, malformed = decode_markets(body)
        for problem in malformed:
            _log.warning("market not understood", extra={"error": str(problem)})
        wanted = set(condition_ids)
        verified = {market.condition_id: market for market in found if market.condition_id in wanted}
        self.strangers += len(found) - len(verified)
        return list(verified.values())
