"""The user socket `/ws/user`: what is sent on it, and what comes (venue.md §2.2)."""

from decimal import Decimal
from typing import Any

import attrs
import msgspec

from protocols.errors import MalformedError
from protocols.text import storable
from protocols.venue.clob_account import (
    OwnWallet,
    VenueFill,
    epoch_ms_of,
    matched_of,
    plain_status,
    read_trade,
    text_of,
    texts_of,
)
from protocols.venue.clob_auth import ApiCreds
from protocols.venue.strict_json import read_array, read_object

_encode = msgspec.json.Encoder().encode
_KINDS = frozenset({"PLACEMENT", "UPDATE", "CANCELLATION"})


@attrs.frozen(kw_only=True)
class OrderUpdate:
    """An order of ours was placed, matched or cancelled."""

    order_hash: str
    kind: str
    """PLACEMENT, UPDATE or CANCELLATION."""
    status: str
    """Upper case; free text is possible."""
    matched_shares: Decimal | None
    """None when it does not say: a killed FOK has an empty text there."""
    trade_ids: tuple[str, ...]
    at_ms: int


UserEvent = VenueFill | OrderUpdate


def subscribe_frame(creds: ApiCreds) -> str:
    """Returns the first frame: everything of the account, in all markets."""
    return _encode({"type": "user", "auth": creds.socket_auth()}).decode()


def read_user_frame(text: str, own: OwnWallet) -> list[UserEvent]:
    """Returns what a frame says, nothing for PONG and events that are none. Raises `MalformedError`, and nothing else."""
    if not text or text.strip().upper() in ("PONG", "PING"):
        return []
    entries = read_array(text) if text.lstrip().startswith("[") else [read_object(text)]
    events: list[UserEvent] = []
    for entry in entries:
        if not isinstance(entry, dict):
            raise MalformedError("entry", type(entry).__name__)
        kind = _kind_of(entry)
        if kind == "trade":
            events += read_trade(entry, own)
        elif kind == "order":
            events.append(_order(entry))
    return events


def _kind_of(entry: dict[str, Any]) -> str:
    """What an entry is about: by its name, or where that is missing by its type."""
    named = str(entry.get("event_type") or "").lower()
    if named:
        return named
    kind = str(entry.get("type") or "").upper()
    return "order" if kind in _KINDS else "trade" if kind == "TRADE" else ""


def _order(entry: dict[str, Any]) -> OrderUpdate:
    kind = str(entry.get("type") or "").upper()
    if kind not in _KINDS:
        raise MalformedError("type", repr(kind)[:40])
    status = plain_status(storable(str(entry.get("status") or "")))
    if kind == "CANCELLATION" and not status.startswith(("CANCEL", "MATCHED")):
        # An end by the venue may come as INVALID or with no status at all.
        status = f"CANCELED_{status}"
    return OrderUpdate(
        order_hash=text_of(entry, "id").lower(),
        kind=kind,
        status=status[:200],
        matched_shares=matched_of(entry),
        trade_ids=texts_of(entry.get("associate_trades")),
        at_ms=epoch_ms_of(entry.get("timestamp") or 0),
    )
