"""Prices for display: of one market, of many, and as a stream. Execution never reads these."""

import trio

from actors.price_cache import PriceCache
from actors.rules.price_wire import many_answer, one_answer
from engine.api.errors import bad_field
from engine.api.feed_stream import EventStream
from engine.api.market_query import (
    MARKETS_MAX,
    MAX_AGE,
    SLUG,
    TIER,
    TOKEN,
    PriceAnswer,
    max_age_ms,
    one_name,
    unknown_market,
)
from engine.api.params import condition_id
from engine.api.price_stream import PriceStream
from engine.api.route import ApiRoute, Call
from protocols.prices import MarketName
from protocols.trades import canonical_condition_id
from protocols.users import Scope


def price_routes(cache: PriceCache) -> list[ApiRoute]:
    """Returns the routes of prices."""

    async def price(call: Call) -> bytes:
        asked = call.params["conditionId"]
        if len(asked) > 1:
            if call.params["slug"] or call.params["token"]:
                raise bad_field("conditionId", "goes with neither slug nor token")
            return await _many(cache, asked, max_age_ms(call))
        name = one_name(call.params)
        if isinstance(name, MarketName):
            condition = await cache.condition_id_of(name)
            if condition is None:
                raise unknown_market()
        else:
            condition = name
        quote = (await cache.quotes((condition,), max_age_ms(call)))[condition]
        if quote is None:
            raise unknown_market()
        return one_answer(quote, trio.current_time())

    async def stream(call: Call) -> EventStream:
        ids = list(dict.fromkeys(map(canonical_condition_id, call.params["conditionId"])))
        subscription = await cache.subscribe(ids)
        if not subscription.condition_ids:
            raise unknown_market()
        return PriceStream(subscription)

    return [
        ApiRoute(
            method="GET",
            path="/api/polymarket/price",
            handler=price,
            scope=Scope.READ,
            summary="Prices of one market, or of up to a hundred, at most 3 s old while the venue answers",
            answer=PriceAnswer,
            params=(condition_id(many=MARKETS_MAX), SLUG, TOKEN, MAX_AGE, TIER),
            refusals={404: "the venue has no market with the one id that was asked for"},
        ),
        ApiRoute(
            method="GET",
            path="/api/polymarket/price/stream",
            handler=stream,
            scope=Scope.READ,
            summary="Prices of some markets as they change; a slow client gets the newest of each",
            answer=None,
            params=(condition_id(many=MARKETS_MAX, required=True),),
            refusals={404: "the venue has none of these markets"},
            streams=True,
        ),
    ]


async def _many(cache: PriceCache, asked: list[str], age_ms: int) -> bytes:
    # By canonical id, with the spelling in which it was asked for.
    wanted = {canonical_condition_id(text): text for text in asked}
    answers = await cache.quotes(wanted.keys(), age_ms)
    found = [quote for id_ in wanted if (quote := answers.get(id_)) is not None]
    missing = [text for id_, text in wanted.items() if id_ in answers and answers[id_] is None]
    unavailable = [text for id_, text in wanted.items() if id_ not in answers]
    return many_answer(found, missing, unavailable, trio.current_time())
