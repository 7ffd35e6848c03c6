"""What accounts did, in both spellings of the Data API: trades, and what else changes a holding (venue.md §5)."""

from protocols.errors import MalformedError
from protocols.trader_accounts import Activity, ActivityKind, ActivityPage
from protocols.venue.answer_rows import (
    Answer,
    Fields,
    condition_from,
    first_of,
    moment_ms,
    read_bare_array,
    read_envelope,
    shares_micro,
    transaction_from,
    understood,
    wallet_from,
)
from protocols.venue.data_api import PageRow
from protocols.venue.trade_row import trade_row_from

NOT_A_TRADE = "not_a_trade"
"""Reason of rows that change no holding of outcome tokens; they are understood, and not kept."""
_CHANGES_NO_HOLDING = frozenset(
    {
        "REWARD",
        "MIGRATION",
        "DEPOSIT",
        "WITHDRAWAL",
        "YIELD",
        "MAKER_REBATE",
        "TAKER_REBATE",
        "REFERRAL_REWARD",
        "TIP",
    }
)


def decode_activity_v2(body: bytes) -> ActivityPage:
    """Returns a page of `/v2/activity`. Raises `TransientError` for HTML, truncated JSON or another shape."""
    return _page(read_envelope(body, "/v2/activity"))


def decode_activity_v1(body: bytes) -> ActivityPage:
    """Returns a page of the v1 `/activity`, whose cursor is always None. Raises `TransientError` for another shape."""
    return _page(read_bare_array(body, "/activity"))


def _page(answer: Answer) -> ActivityPage:
    found, malformed = understood(answer.rows, _row)
    return ActivityPage(
        trades=tuple(row for row in found if isinstance(row, PageRow)),
        others=tuple(row for row in found if isinstance(row, Activity)),
        malformed=malformed,
        rows_sent=len(answer.rows),
        next_cursor=answer.next_cursor,
    )


def _row(fields: Fields, text: bytes) -> PageRow | Activity:
    kind = fields.get("type")
    if kind == "TRADE":
        return _trade(fields, text)
    if isinstance(kind, str) and kind in _CHANGES_NO_HOLDING:
        raise MalformedError(NOT_A_TRADE, kind)
    try:
        return _other(ActivityKind(str(kind)), fields)
    except ValueError:
        raise MalformedError("kind", repr(kind)[:40]) from None


def _trade(fields: Fields, text: bytes) -> PageRow:
    for name, spellings in (("side", ("side",)), ("token", ("token_id", "asset"))):
        # A trade without these is a broken row, not another kind of activity.
        if first_of(fields, *spellings) in (None, ""):
            raise MalformedError(name, "missing")
    return PageRow(row=trade_row_from(fields), text=b'{"payload":' + text + b"}")


def _other(kind: ActivityKind, fields: Fields) -> Activity:
    return Activity(
        wallet=wallet_from(first_of(fields, "proxy_wallet", "proxyWallet")),
        kind=kind,
        condition_id=condition_from(first_of(fields, "condition_id", "conditionId")),
        # Redeeming what is worthless moves nothing.
        shares_micro=shares_micro(fields.get("size"), "size"),
        at_ms=moment_ms(fields.get("timestamp")),
        transaction_hash=transaction_from(first_of(fields, "transaction_hash", "transactionHash")),
    )
