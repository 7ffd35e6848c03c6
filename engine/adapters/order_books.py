"""Books and terms of markets as orders need them, from the CLOB's public reads."""

import attrs
import trio

from engine.adapters.upstream import Upstream
from protocols.errors import RejectedError
from protocols.live.market import MarketTerms, OrderBook
from protocols.venue.clob_books import books_request, order_book, order_books
from protocols.venue.clob_markets import market_terms

TOKENS_PER_CALL_MAX = 500


@attrs.define(eq=False, kw_only=True)
class ClobOrderBooks:
    """`OrderBooks` of the CLOB (venue.md §4.8)."""

    api: Upstream

    async def books(self, token_ids: tuple[str, ...]) -> dict[str, OrderBook]:
        """One call for one token or up to 500. Raises `TransientError`."""
        found = dict[str, OrderBook]()
        for start in range(0, len(token_ids), TOKENS_PER_CALL_MAX):
            found |= await self._books(token_ids[start : start + TOKENS_PER_CALL_MAX])
        return found

    async def terms(self, condition_id: str) -> MarketTerms | None:
        """One call. Raises `TransientError`."""
        try:
            body = await self.api.get(f"/clob-markets/{condition_id}")
        except RejectedError:
            return None
        return market_terms(body, condition_id)

    async def _books(self, token_ids: tuple[str, ...]) -> dict[str, OrderBook]:
        observed_s = trio.current_time()
        try:
            # The call for one has three times the limit of the call for many (venue.md §6).
            if len(token_ids) == 1:
                body = await self.api.get("/book", [("token_id", token_ids[0])])
                book = order_book(body, token_ids[0], observed_s)
                return {} if book is None else {token_ids[0]: book}
            body = await self.api.post("/books", books_request(token_ids))
        except RejectedError:
            if len(token_ids) == 1:
                return {}
            # One token that the venue refuses must not cost the others.
            middle = len(token_ids) // 2
            return await self._books(token_ids[:middle]) | await self._books(token_ids[middle:])
        return order_books(body, token_ids, observed_s)
