"""Facts of markets, the best orders of their books, and markets that shall be stored."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import msgspec
import trio

from actors.book_cache import BookCache
from actors.market_ensurer import MarketEnsurer
from actors.price_cache import PriceCache
from actors.rules.price_wire import one_answer
from engine.api.errors import bad_field, not_found
from engine.api.market_query import CONDITION, MARKETS_MAX, SLUG, TOKEN, MarketAnswer, one_name, unknown_market
from engine.api.params import pattern
from engine.api.route import ApiRoute, Call, Rate, Struct
from protocols.prices import MarketName
from protocols.timestamps import utc_datetime
from protocols.trades import canonical_condition_id
from protocols.users import Scope

# Described only: what is refused is refused in words of ours.
ConditionId = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": CONDITION.schema["pattern"]})]
NOT_STORED = "the engine does not know this market; POST /api/markets/ensure makes it known if the venue has it"


class Book(Struct):
    """The best orders of one token. Prices in USD a share, sizes in shares; null where there is no order."""

    token: str
    condition_id: str
    best_bid: Decimal | None
    best_bid_size: Decimal | None
    best_ask: Decimal | None
    best_ask_size: Decimal | None
    tick_size: Decimal | None
    order_size_min: Decimal | None
    negative_risk: bool | None
    last_trade_price: Decimal | None
    as_of: str
    age_ms: int
    stale: bool
    """True when the venue did not answer."""


class BookAnswer(Struct):
    """One book."""

    success: bool
    book: Book


class Wanted(Struct):
    """Markets that shall be known."""

    condition_ids: Annotated[list[ConditionId], msgspec.Meta(min_length=1, max_length=MARKETS_MAX)]


class Ensured(Struct):
    """What became of them, in the spelling in which they were asked for."""

    success: bool
    known: list[str]
    missing: list[str]


def market_routes(cache: PriceCache, books: BookCache, ensurer: MarketEnsurer) -> list[ApiRoute]:
    """Returns the routes of markets."""

    async def market(call: Call) -> bytes:
        name = one_name(call.params)
        condition = await cache.stored_condition_id(name) if isinstance(name, MarketName) else name
        quote = None if condition is None else await cache.stored(condition)
        if quote is None:
            raise unknown_market(NOT_STORED)
        return one_answer(quote, trio.current_time())

    async def book(call: Call) -> BookAnswer:
        seen = await books.top(call.params["token"])
        if seen is None:
            raise not_found("no_book", "the venue has no book for this token: unknown, or its market is closed")
        top, age_s = seen.top, trio.current_time() - seen.observed_s
        as_of = utc_datetime(seen.as_of_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        facts = {name: getattr(top, name) for name in top.__struct_fields__ if name != "book_time_ms"}
        answer = Book(**facts, as_of=as_of, age_ms=max(0, round(age_s * 1000)), stale=seen.stale)
        return BookAnswer(success=True, book=answer)

    async def ensure(call: Call) -> Ensured:
        wanted = _checked(call.body.condition_ids)
        known = await ensurer.ensure(list(wanted))
        return Ensured(
            success=True,
            known=[text for id_, text in wanted.items() if id_ in known],
            missing=[text for id_, text in wanted.items() if id_ not in known],
        )

    return [
        ApiRoute(
            method="GET",
            path="/api/polymarket/market",
            handler=market,
            scope=Scope.READ,
            summary="What is known of one market, without asking the venue; its prices may be old",
            answer=MarketAnswer,
            params=(CONDITION, SLUG, TOKEN),
            refusals={404: "the engine does not know this market"},
        ),
        ApiRoute(
            method="GET",
            path="/api/polymarket/book",
            handler=book,
            scope=Scope.READ,
            summary="Best orders of a token, at most a second old while the venue answers",
            answer=BookAnswer,
            params=(
                pattern("token", "token id of an outcome", "[0-9]{1,78}", allowed="a token id, digits", required=True),
            ),
            refusals={404: "the venue has no book for this token"},
        ),
        ApiRoute(
            method="POST",
            path="/api/markets/ensure",
            handler=ensure,
            scope=Scope.READ,
            summary="Makes up to a hundred markets known, with one call to the venue",
            answer=Ensured,
            body=Wanted,
            rate=Rate.CHANGE,
        ),
    ]


def _checked(texts: Sequence[str]) -> dict[str, str]:
    """Returns the ids by their canonical form. Raises a 400 that names the wrong one."""
    wanted = {}
    for index, text in enumerate(texts):
        try:
            wanted[canonical_condition_id(CONDITION.parse(text))] = text
        except ValueError as error:
            raise bad_field(f"conditionIds[{index}]", str(error)) from None
    return wanted
