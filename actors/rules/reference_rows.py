"""Rows of a database of the reference's shape (profiles, follows, traders, trades_public), mapped to ours.

A row is the JSON object of a table row, numbers as `int` or `Decimal`. What cannot be understood raises `MalformedError`
with the field as reason; a descriptive value that cannot be kept costs only itself and is named in `notes`.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs
import msgspec

from actors.rules.ordinals import OrdinalCounter, Place
from protocols.amounts import decimal_from
from protocols.errors import MalformedError
from protocols.text import storable_or_none, storable_tree
from protocols.timestamps import epoch_ms, utc_datetime
from protocols.trade_identity import fill_key, trade_id_of
from protocols.trades import Lane, LanedTrade, RawTrade, TradeRow, trade_from_row
from protocols.users import USER_NAME_PATTERN
from protocols.venue.strict_json import read_object

Row = Mapping[str, Any]
SCOPE = "import"
_WALLET = re.compile("0x[0-9a-f]{40}")
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_USER_NAME = re.compile(USER_NAME_PATTERN, re.ASCII)
_NOT_IN_A_NAME = re.compile("[^A-Za-z0-9_.@-]+", re.ASCII)
_HASH = re.compile("0x[0-9a-f]{8,64}")
_AMOUNT_MAX = Decimal(10) ** 14
_encode = msgspec.json.Encoder(decimal_format="number").encode


@attrs.frozen
class Mapped:
    """The columns of one of our rows, and what of the source's row was left out."""

    values: dict[str, Any]
    notes: tuple[str, ...] = ()


def wallet_of(value: object) -> str:
    """Returns a wallet in lower case. Raises `MalformedError("wallet")`."""
    wallet = value.strip().lower() if isinstance(value, str) else ""
    if not _WALLET.fullmatch(wallet):
        raise MalformedError("wallet", repr(value)[:60])
    return wallet


def map_profile(row: Row) -> Mapped:
    """Returns a user under a name that our commands take; the name is unique by its id where the source has none."""
    user_id = uuid_of(row.get("id"))
    given = row.get("user_name")
    # A name made from something else is not one that anybody chose: keep it apart from those that were.
    chosen = isinstance(given, str) and _USER_NAME.fullmatch(given) is not None
    candidates = (given, row.get("polymarket_username"), row.get("email"))
    made = (name for candidate in candidates if (name := _user_name(candidate)))
    name = str(given) if chosen else next(made, "user")
    values = {
        "id": user_id,
        "user_name": name if chosen else f"{name[:55]}-{user_id[:8]}",
        "other_name": f"{name[:55]}-{user_id[:8]}",
        "email": storable_or_none(row.get("email"), 320),
        "is_admin": row.get("is_admin") is True,
        "created_at": time_of(row.get("created_at")),
    }
    return Mapped(values, () if chosen else ("user_name was made",))


def map_follow(row: Row) -> Mapped:
    """Returns a follow. Whom it belongs to has to be looked up."""
    values = {
        "user_id": uuid_of(row.get("user_id"), "user_id"),
        "trader_wallet": wallet_of(row.get("trader_wallet")),
        "active": row.get("active") is not False,
        "created_at": time_of(row.get("created_at")),
    }
    return Mapped(values)


def map_trader(row: Row) -> Mapped:
    """Returns a trader; figures that are no numbers or out of range are left out."""
    notes: list[str] = []
    rank, win_rate = amount_of(row, "rank", notes), amount_of(row, "win_rate", notes)
    total, followers = amount_of(row, "total_trades", notes), amount_of(row, "follower_count", notes)
    if win_rate is not None and not 0 <= win_rate <= 1:
        notes.append("win_rate")
        win_rate = None
    values = {
        "wallet_address": wallet_of(row.get("wallet_address")),
        "display_name": storable_or_none(row.get("display_name")),
        "profile_image": storable_or_none(row.get("profile_image")),
        **{name: _text(amount_of(row, name, notes)) for name in ("pnl", "volume", "roi")},
        "win_rate": _text(win_rate),
        "total_trades": _whole(total, "total_trades", 2**63, notes),
        "rank": _whole(rank, "rank", 2**31, notes),
        "follower_count": _whole(followers, "follower_count", 2**31, notes),
        "is_active": row.get("is_active") is not False,
        "last_seen_at": time_of(row.get("last_seen_at")),
        "updated_at": time_of(row.get("updated_at")),
    }
    return Mapped(values, tuple(notes))


@attrs.define(eq=False)
class TradeMapper:
    """Trades of the reference with our identity. Feed it rows in the order of trade time.

    The reference's `trade_id` is another identity (the transaction hash alone, or wallet, token, market and time): ours is
    computed from transaction, wallet, token, side and micro-shares, and an ordinal over equal fills of the import.
    """

    lanes: dict[str, Lane]
    """Wallets whose trades are kept; grows while follows and traders are read."""
    _ordinals: OrdinalCounter = attrs.field(init=False, factory=lambda: OrdinalCounter(keys_max=100_000))

    def watch(self, wallet: str, lane: Lane) -> None:
        """Says that a wallet's trades are kept."""
        self.lanes[wallet] = min(lane, self.lanes.get(wallet, lane))

    def map(self, row: Row) -> LanedTrade | None:
        """Returns the trade, or None when nobody knows its wallet. Raises `MalformedError`."""
        raw = object_of(row.get("raw"))
        wallet = wallet_of(row.get("trader_wallet") or raw.get("proxyWallet"))
        lane = self.lanes.get(wallet)
        if lane is None:
            return None
        wire = _trade_row(row, raw, wallet)
        key = fill_key(wire, wallet)
        counted: dict[Place, int] = {}
        ordinal = self._ordinals.tentative(SCOPE, key, counted)
        trade = trade_from_row(
            RawTrade(wire, SCOPE, "", 0.0),
            trade_id=trade_id_of(key, ordinal),
            wallet=wallet,
            payload_json=_encode(storable_tree(raw)).decode(),
        )
        self._ordinals.commit(counted)
        return LanedTrade(trade, lane)


def _trade_row(row: Row, raw: Row, wallet: str) -> TradeRow:
    """Columns first; the payload that the row was made from where a column is missing or no number."""
    transaction = _either(row.get("transaction_hash"), raw.get("transactionHash"))
    if transaction is None and isinstance(row.get("trade_id"), str) and _HASH.fullmatch(row["trade_id"].lower()):
        transaction = row["trade_id"]
    token = _either(row.get("asset"), raw.get("asset"))
    side = _either(row.get("side"), raw.get("side"))
    condition_id = _either(row.get("condition_id"), raw.get("conditionId"))
    if not isinstance(condition_id, str):
        raise MalformedError("condition_id", repr(condition_id)[:40])
    index = _either(row.get("outcome_index"), raw.get("outcomeIndex"))
    return TradeRow(
        proxy_wallet=wallet,
        asset=str(token) if isinstance(token, str | int) else "",
        condition_id=condition_id,
        side=side.strip() if isinstance(side, str) else "",
        price=_number(row, raw, "price"),
        size=_number(row, raw, "size"),
        transaction_hash=transaction if isinstance(transaction, str) else "",
        timestamp=epoch_ms(row.get("trade_timestamp")),
        # The reference kept Yes and No only; the payload has the names of all others (domain.md D57).
        outcome=storable_or_none(_either(raw.get("outcome"), row.get("outcome"))),
        outcome_index=index if isinstance(index, int) and not isinstance(index, bool) else None,
        slug=storable_or_none(_either(row.get("market_slug"), raw.get("slug"))),
        event_slug=storable_or_none(_either(row.get("event_slug"), raw.get("eventSlug"))),
        title=storable_or_none(_either(row.get("market_title"), raw.get("title"))),
        name=storable_or_none(_either(raw.get("name"), raw.get("pseudonym"))),
        icon=storable_or_none(raw.get("icon")),
        profile_image=storable_or_none(raw.get("profileImage")),
    )


def object_of(value: object) -> dict[str, Any]:
    """Returns the payload, which some writers stored as a JSON text inside the JSON; anything else is no payload."""
    if isinstance(value, str):
        try:
            return read_object(value)
        except MalformedError:
            return {}
    return value if isinstance(value, dict) else {}


def _number(row: Row, raw: Row, name: str) -> Decimal:
    try:
        return decimal_from(row.get(name), name)
    except MalformedError:
        return decimal_from(raw.get(name), name)


def _either(first: Any, second: Any) -> Any:
    return second if first in (None, "") else first


def _user_name(value: object) -> str:
    if not isinstance(value, str):
        return ""
    # Of an address only what stands before the @: names are shown to others.
    name = _NOT_IN_A_NAME.sub("-", value.partition("@")[0].strip())[:64].strip("-_.")
    return name if _USER_NAME.fullmatch(name) else ""


def uuid_of(value: object, field: str = "id") -> str:
    """Returns a uuid in lower case. Raises `MalformedError(field)`."""
    text = value.lower() if isinstance(value, str) else ""
    if not _UUID.fullmatch(text):
        raise MalformedError(field, repr(value)[:60])
    return text


def time_of(value: object) -> str | None:
    """Returns an ISO text when the value is a time of the venue's life, else nothing."""
    try:
        return utc_datetime(epoch_ms(value)).isoformat()
    except MalformedError:
        return None


def amount_of(row: Row, name: str, notes: list[str]) -> Decimal | None:
    """Returns a number; one that is none, or out of range, is left out and noted."""
    value = row.get(name)
    if value is None:
        return None
    try:
        number = decimal_from(value, name)
    except MalformedError:
        number = _AMOUNT_MAX
    if abs(number) < _AMOUNT_MAX:
        return number
    notes.append(name)
    return None


def _whole(number: Decimal | None, name: str, limit: int, notes: list[str]) -> int | None:
    if number is None:
        return None
    if number != number.to_integral_value() or abs(number) >= limit:
        notes.append(name)
        return None
    return int(number)


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)
