"""A quote as JSON. A market's facts are encoded when they change; an answer only adds age and staleness."""

from collections.abc import Sequence

import msgspec

from actors.rules.price_resolution import is_resolved
from protocols.prices import MarketFacts, PriceSource, Quote
from protocols.timestamps import utc_datetime

_encode = msgspec.json.Encoder(decimal_format="number").encode


def quote_of(
    facts: MarketFacts, source: PriceSource, *, as_of_ms: int | None, observed_s: float, last: Quote | None = None
) -> Quote:
    """Returns a quote; what `last` has encoded is used again where nothing changed."""
    if last is not None and last.facts == facts:
        facts, resolved, document = last.facts, last.resolved, last.document
    else:
        resolved = is_resolved(facts)
        document = _encode(facts)[:-1] + (b',"resolved":true' if resolved else b',"resolved":false')
    stamp = b',"source":"%b","asOf":%b' % (source.value.encode(), _time(as_of_ms))
    return Quote(
        facts=facts,
        source=source,
        resolved=resolved,
        as_of_ms=as_of_ms,
        observed_s=observed_s,
        document=document,
        stamp=stamp,
    )


def quote_json(quote: Quote, now_s: float) -> bytes:
    """Returns the JSON object of a quote as it is now."""
    stale = b"true" if quote.stale else b"false"
    if quote.as_of_ms is None:
        return b'%b%b,"ageMs":null,"stale":%b}' % (quote.document, quote.stamp, stale)
    age_ms = max(0, round((now_s - quote.observed_s) * 1000))
    return b'%b%b,"ageMs":%d,"stale":%b}' % (quote.document, quote.stamp, age_ms, stale)


def one_answer(quote: Quote, now_s: float) -> bytes:
    """Returns the body for one market."""
    return b'{"success":true,"market":%b}' % quote_json(quote, now_s)


def many_answer(quotes: Sequence[Quote], missing: Sequence[str], unavailable: Sequence[str], now_s: float) -> bytes:
    """Returns the body for several markets: those not known to the venue, and those it could not be asked for, by name."""
    markets = b",".join([quote_json(quote, now_s) for quote in quotes])
    rest = (markets, _encode(missing), _encode(unavailable))
    return b'{"success":true,"markets":[%b],"missing":%b,"unavailable":%b}' % rest


def price_event(quote: Quote, now_s: float) -> bytes:
    """Returns a server-sent event."""
    return b"data: %b\n\n" % quote_json(quote, now_s)


def missing_event(missing: Sequence[str]) -> bytes:
    """Returns the event that tells which markets a stream will never speak of."""
    return b'event: missing\ndata: {"missing":%b}\n\n' % _encode(missing)


def _time(epoch_ms: int | None) -> bytes:
    if epoch_ms is None:
        return b"null"
    return b'"%b"' % utc_datetime(epoch_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
