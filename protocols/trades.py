"""The trade, from the row on the wire to what is stored.

`TradeRow` is one row as a source wrote it, `RawTrade` is that row and where it was seen, `Trade` is the exact, identified
fact, and `LanedTrade` is a trade with its importance.
"""

import enum
from decimal import Decimal

import attrs
import msgspec

from protocols.amounts import exact_price, size_micro
from protocols.errors import MalformedError
from protocols.text import storable, storable_or_none
from protocols.timestamps import epoch_ms

# No outcome: the leg must be told by its token (venue.md §1.2).
OUTCOME_INDEX_SENTINEL = 999


class Lane(enum.IntEnum):
    """How much a trade matters; a smaller number matters more."""

    TARGET = 0
    """A trader whom a strategy copies."""
    FOLLOWED = 1
    """A trader whom a user follows."""
    KNOWN = 2
    """A wallet of `traders` that nobody follows and no strategy names."""


class TradeSource(enum.StrEnum):
    """Who brought a trade first."""

    STREAM = "stream"
    GAP = "gap"
    """The gap filler, after a loss of the stream that it knew of."""
    POLLER = "poller"
    AUDIT = "audit"
    """The coverage audit: nobody else had it."""


_SOURCES = {"rtds": TradeSource.STREAM, "gap": TradeSource.GAP, "audit": TradeSource.AUDIT}


def source_of(scope: str) -> TradeSource:
    """Returns who saw the rows of a counting scope; those that are not named here are pollers."""
    return _SOURCES.get(scope.partition(":")[0], TradeSource.POLLER)


class TradeRow(msgspec.Struct, rename="camel", gc=False, kw_only=True):
    """One trade row in the camelCase shape that RTDS and the Data API v1 share (venue.md §1.2, §5.2)."""

    proxy_wallet: str
    asset: str
    condition_id: str
    side: str
    price: Decimal
    size: Decimal
    transaction_hash: str
    timestamp: int | str
    outcome: str | None = None
    outcome_index: int | None = None
    slug: str | None = None
    event_slug: str | None = None
    title: str | None = None
    name: str | None = None
    icon: str | None = None
    profile_image: str | None = None


class RawTrade(msgspec.Struct, gc=False):
    """A row, where it was seen, and the text that it came in.

    `scope` names the connection and topic, or the one response, within which equal rows are counted (design.md §4).
    `text` is an envelope whose member `payload` is the row as JSON; it is cut out only when the trade is kept.
    """

    row: TradeRow
    scope: str
    text: str | bytes
    seen_s: float
    """Monotonic time of arrival, for latency."""


class Trade(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One fill of one wallet: exact, identified, and safe to store. A struct, since it is made for every kept trade.

    Identity and amounts never change; title, outcome, names and `raw` describe and may be replaced by a newer observation.
    """

    trade_id: str
    wallet: str
    transaction_hash: str
    token_id: str
    condition_id: str
    side: str
    size_micro: int
    price: Decimal
    trade_ms: int
    outcome: str | None
    outcome_index: int | None
    market_slug: str | None
    event_slug: str | None
    market_title: str | None
    trader_name: str | None
    trader_image: str | None
    market_image: str | None
    source: str | None = None
    """A `TradeSource`; None where nobody knows any more. Whoever comes second changes nothing."""
    raw: str
    seen_s: float


@attrs.frozen
class LanedTrade:
    """A trade and its importance."""

    trade: Trade
    lane: Lane


def trade_from_row(raw: RawTrade, *, trade_id: str, wallet: str, payload_json: str) -> Trade:
    """Returns the exact trade of a row whose identity is known.

    Raises `MalformedError` naming the field whose value cannot be stored truthfully. Descriptive fields never raise.
    """
    row = raw.row
    index = row.outcome_index
    return Trade(
        trade_id=trade_id,
        wallet=wallet,
        transaction_hash=row.transaction_hash.lower(),
        token_id=row.asset,
        condition_id=canonical_condition_id(row.condition_id),
        side=row.side.upper(),
        size_micro=size_micro(row.size),
        price=exact_price(row.price),
        trade_ms=epoch_ms(row.timestamp),
        outcome=storable_or_none(row.outcome),
        outcome_index=index if index is not None and 0 <= index < OUTCOME_INDEX_SENTINEL else None,
        market_slug=storable_or_none(row.slug),
        event_slug=storable_or_none(row.event_slug),
        market_title=storable_or_none(row.title),
        trader_name=storable_or_none(row.name),
        trader_image=storable_or_none(row.profile_image),
        market_image=storable_or_none(row.icon),
        raw=payload_json,
        seen_s=raw.seen_s,
        source=source_of(raw.scope),
    )


def without_description(laned: LanedTrade) -> LanedTrade:
    """Returns the trade with identity, amounts and time only, for a database that refuses a text or number in the rest."""
    bare = msgspec.structs.replace(
        laned.trade,
        outcome=None,
        outcome_index=None,
        market_slug=None,
        event_slug=None,
        market_title=None,
        trader_name=None,
        trader_image=None,
        market_image=None,
        raw="{}",
    )
    return LanedTrade(bare, laned.lane)


def canonical_condition_id(condition_id: str) -> str:
    """Returns a condition id in lower case with 64 hex digits.

    Protocol V2 markets are written with 62 digits by Gamma and in combo trades, with 64 elsewhere (venue.md §3.2).
    Raises `MalformedError("condition_id")` for an empty one.
    """
    text = storable(condition_id.strip().lower())
    if not text or len(text) > 128:
        raise MalformedError("condition_id", condition_id[:40])
    if len(text) == 64 and text.startswith("0x"):
        return text + "00"
    return text
