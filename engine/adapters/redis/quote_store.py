"""Prices between replicas, in Redis."""

from collections.abc import Sequence
from typing import Any

import attrs
import msgspec
import trio

from actors.rules.price_sharing import ASKED_MS, CLAIM_MS, ENDED_MS, RIDE_MS
from engine.adapters.redis.connection import RedisConnection, RefusedReplyError
from engine.adapters.redis.edge_scripts import Script
from engine.adapters.redis.quote_scripts import BOARD, PUBLISH, TELL
from engine.adapters.redis.server_clock import ServerClock
from protocols.errors import TransientError
from protocols.prices import MarketFacts, PriceSource
from protocols.shared_quotes import Boarding, IsWanted, Published, SharedQuote, Want

LIFE_MS = 600_000
"""The oldest price that anybody may ask for (`price_freshness.MAX_AGE_MS`)."""
ABSENT_MS = 5_000
NEWS_MS = 10_000
"""Older news are in the keys of their markets."""
NEWS_MAX = 20
LOOK_MAX = 1_000
"""Markets that are looked at for what may ride along, among more than fit into ten calls."""
FORM = 1
"""Part of the name of every key: programs that write prices in another form do not read these."""


class _Text(msgspec.Struct, frozen=True, kw_only=True):
    """A price as it lies in Redis."""

    facts: MarketFacts
    source: PriceSource
    as_of_ms: int
    hidden: bool = False
    resolved: bool = False
    ended: bool = False


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Text)


@attrs.define(eq=False, kw_only=True)
class RedisQuotes:
    """`SharedQuotes` over two connections: one for calls, one that waits in the server for news."""

    prefix: str
    calls: RedisConnection
    waiting: RedisConnection
    ride_ms: int = RIDE_MS
    """A younger price is not taken along; the same in every replica, a quarter of `prices.ttl_ms`."""
    _clock: ServerClock = attrs.field(init=False, factory=ServerClock)
    _last_id: bytes | None = attrs.field(init=False, default=None)

    async def board(self, flight: str, wants: Sequence[Want], room: int) -> Boarding:
        """See `SharedQuotes`."""
        flat = [
            value
            for want in wants
            for value in (
                want.condition_id,
                round(want.age_max_s * 1000),
                "r" if want.rides else "w",
                1 if want.hidden else 0,
            )
        ]
        options = (flight, room, self.ride_ms, CLAIM_MS, ASKED_MS, ENDED_MS, LOOK_MAX)
        reply = await self._script(BOARD, (self._asked, self._markets), *options, *flat)
        found, absent, ours, along, along_hidden, theirs = reply[1:]
        return Boarding(
            found=[self._quote(text, observed_ms) for _, observed_ms, text in _chunks(found, 3)],
            absent=_texts(absent),
            ours=_texts(ours),
            along=_texts(along),
            along_hidden=_texts(along_hidden),
            theirs={condition_id.decode(): left_ms / 1000 for condition_id, left_ms in _chunks(theirs, 2)},
        )

    async def publish(self, flight: str, brought: Published, left: Sequence[str]) -> None:
        """See `SharedQuotes`. What is older than what is there changes nothing."""
        await self._know_clock()
        flat: list[bytes | str | int] = []
        for quote in brought.quotes:
            text = _Text(
                facts=quote.facts, source=quote.source, as_of_ms=quote.as_of_ms, hidden=quote.hidden,
                resolved=quote.resolved, ended=quote.ended,
            )  # fmt: skip
            kind = "resolved" if quote.resolved else "ended" if quote.ended else ""
            observed_ms = self._clock.server_ms(quote.observed_s)
            flat += [quote.facts.condition_id, observed_ms, kind, int(quote.hidden), _ENCODER.encode(text)]
        options = (flight, LIFE_MS, ABSENT_MS, NEWS_MS, len(brought.quotes), *flat, len(brought.absent))
        await self._script(PUBLISH, (self._news, self._markets), *options, *brought.absent, *left)

    async def tell(self, condition_ids: Sequence[str]) -> None:
        """See `SharedQuotes`."""
        await self._script(TELL, (self._asked,), ASKED_MS, *condition_ids)

    async def news(self, is_wanted: IsWanted, wait_s: float) -> Published:
        """See `SharedQuotes`. News that were missed while there was no connection are found in the keys of their markets."""
        try:
            await self._know_clock()
            if self._last_id is None:
                newest = await self.calls.call("XREVRANGE", self._news, "+", "-", "COUNT", 1)
                self._last_id = newest[0][0] if newest else b"0-0"
            wait_ms = max(1, round(wait_s * 1000))
            arguments = ("COUNT", NEWS_MAX, "BLOCK", wait_ms, "STREAMS", self._news, self._last_id)
            reply = await self.waiting.call("XREAD", *arguments, wait_s=wait_s)
        except (TransientError, RefusedReplyError) as error:
            # Another server may be there next time, with another clock and other numbers.
            self._last_id = None
            self._clock.forget()
            raise TransientError(str(error)) from None
        quotes, absent = list[SharedQuote](), list[str]()
        for entry_id, fields in (reply or {}).get(self._news.encode(), ()):
            self._last_id = entry_id
            for name, value in _chunks(fields, 2):
                if not is_wanted(condition_id := name.decode()):
                    continue
                if not value:
                    absent.append(condition_id)
                    continue
                observed_ms, _, text = value.partition(b" ")
                quotes.append(self._quote(text, int(observed_ms)))
        return Published(quotes=quotes, absent=absent)

    @property
    def _tag(self) -> str:
        # All keys on one node of a cluster.
        return f"{{{self.prefix}:prices{FORM}}}"

    @property
    def _asked(self) -> str:
        return f"{self._tag}:asked"

    @property
    def _markets(self) -> str:
        return f"{self._tag}:market:"

    @property
    def _news(self) -> str:
        return f"{self._tag}:news"

    async def _know_clock(self) -> None:
        if not self._clock.is_known:
            sent_s = trio.current_time()
            seconds, micros = await self.calls.call("TIME")
            now_ms = int(seconds) * 1000 + int(micros) // 1000
            self._clock.read(now_ms, sent_s=sent_s, received_s=trio.current_time())

    async def _script(self, script: Script, keys: Sequence[str], *arguments: bytes | str | int) -> list[Any]:
        """Runs a script; the first thing that each of them answers is the server's clock. Raises `TransientError`."""
        sent_s = trio.current_time()
        try:
            try:
                reply = await self.calls.call("EVALSHA", script.sha, len(keys), *keys, *arguments)
            except RefusedReplyError as error:
                if error.code != "NOSCRIPT":
                    raise
                sent_s = trio.current_time()
                reply = await self.calls.call("EVAL", script.text, len(keys), *keys, *arguments)
        except RefusedReplyError as error:
            raise TransientError(f"redis refused: {error}") from None
        answer = reply if isinstance(reply, list) else [reply]
        self._clock.read(int(answer[0]), sent_s=sent_s, received_s=trio.current_time())
        return answer

    def _quote(self, text: bytes, observed_ms: int) -> SharedQuote:
        """Raises `TransientError` for a text that nobody of ours wrote: whoever reads it has to fetch for himself."""
        try:
            found = _DECODER.decode(text)
        except msgspec.DecodeError as error:
            raise TransientError(f"redis: a price that cannot be read: {error}") from None
        return SharedQuote(
            facts=found.facts,
            source=found.source,
            hidden=found.hidden,
            resolved=found.resolved,
            ended=found.ended,
            as_of_ms=found.as_of_ms,
            observed_s=self._clock.monotonic_s(observed_ms, trio.current_time()),
        )


def _texts(values: Sequence[bytes]) -> list[str]:
    return [value.decode() for value in values]


def _chunks(values: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [values[start : start + size] for start in range(0, len(values), size)]
