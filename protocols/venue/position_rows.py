"""Positions of accounts, held and closed, in the two spellings of the Data API (venue.md §5).

v2 has one endpoint for both, asked by `status`; v1 has `/positions` and `/closed-positions`.
"""

from protocols.errors import MalformedError
from protocols.trader_accounts import ClosedPage, ClosedPosition, HeldPage, HeldPosition, TokenText
from protocols.venue.answer_rows import (
    Answer,
    Fields,
    condition_from,
    day_or_moment,
    first_of,
    moment_ms,
    moment_or_none,
    outcome_index_or_none,
    price_or_none,
    read_bare_array,
    read_envelope,
    row_json,
    shares_micro,
    text_or_none,
    token_from,
    understood,
    usd_from,
    usd_or_none,
    wallet_from,
)

_SIZE = ("current_size", "size")
_BOUGHT = ("total_size", "totalBought")
_AVERAGE = ("avg_price", "avgPrice")
_REALIZED = ("realized_pnl", "realizedPnl")


def decode_held_v2(body: bytes) -> HeldPage:
    """Returns a page of `/v2/positions`. Raises `TransientError` for HTML, truncated JSON or another shape."""
    return _held_page(read_envelope(body, "/v2/positions"))


def decode_held_v1(body: bytes) -> HeldPage:
    """Returns a page of the v1 `/positions`, whose cursor is always None. Raises `TransientError` for another shape."""
    return _held_page(read_bare_array(body, "/positions"))


def decode_closed_v2(body: bytes) -> ClosedPage:
    """Returns a page of `/v2/positions?status=CLOSED`. Raises `TransientError` for another shape."""
    return _closed_page(read_envelope(body, "/v2/positions"))


def decode_closed_v1(body: bytes) -> ClosedPage:
    """Returns a page of the v1 `/closed-positions`, whose cursor is always None. Raises `TransientError`."""
    return _closed_page(read_bare_array(body, "/closed-positions"))


def _held_page(answer: Answer) -> HeldPage:
    found, malformed = understood(answer.rows, _held)
    rows = tuple(row for row in found if row.shares_micro)
    return HeldPage(
        rows=rows,
        nothing_left=len(found) - len(rows),
        malformed=malformed,
        rows_sent=len(answer.rows),
        next_cursor=answer.next_cursor,
    )


def _closed_page(answer: Answer) -> ClosedPage:
    found, malformed = understood(answer.rows, _closed)
    return ClosedPage(
        rows=tuple(found), malformed=malformed, rows_sent=len(answer.rows), next_cursor=answer.next_cursor
    )


def _held(fields: Fields, text: bytes) -> HeldPosition:
    return HeldPosition(
        wallet=wallet_from(first_of(fields, "proxy_wallet", "proxyWallet")),
        token_id=token_from(first_of(fields, "token_id", "asset")),
        condition_id=condition_from(first_of(fields, "condition_id", "conditionId")),
        shares_micro=shares_micro(first_of(fields, *_SIZE), "size"),
        average_price=price_or_none(first_of(fields, *_AVERAGE)),
        cost_usd=usd_or_none(first_of(fields, "entry_cost_usdc", "initialValue")),
        value_usd=usd_or_none(first_of(fields, "current_value", "currentValue")),
        price=price_or_none(first_of(fields, "current_price", "curPrice")),
        realized_usd=usd_or_none(first_of(fields, *_REALIZED)),
        redeemable=fields.get("redeemable") is True,
        mergeable=fields.get("mergeable") is True,
        negative_risk=first_of(fields, "negative_risk", "negativeRisk") is True,
        last_event_ms=moment_or_none(fields.get("last_event_at")),
        text=_token_text(fields),
        raw=row_json(fields, text),
    )


def _closed(fields: Fields, _text: bytes) -> ClosedPosition:
    # A row of v2 that is still held would be counted twice: once here, once when it is closed.
    if shares_micro(fields.get("current_size", 0), "size"):
        raise MalformedError("still_held")
    return ClosedPosition(
        wallet=wallet_from(first_of(fields, "proxy_wallet", "proxyWallet")),
        token_id=token_from(first_of(fields, "token_id", "asset")),
        condition_id=condition_from(first_of(fields, "condition_id", "conditionId")),
        bought_micro=shares_micro(first_of(fields, *_BOUGHT), "bought"),
        average_price=price_or_none(first_of(fields, *_AVERAGE)),
        realized_usd=usd_from(first_of(fields, *_REALIZED), "realized"),
        closed_ms=moment_ms(first_of(fields, "last_event_at", "timestamp")),
        text=_token_text(fields),
    )


def _token_text(fields: Fields) -> TokenText:
    return TokenText(
        outcome=text_or_none(fields, "outcome"),
        outcome_index=outcome_index_or_none(first_of(fields, "outcome_index", "outcomeIndex")),
        title=text_or_none(fields, "title"),
        slug=text_or_none(fields, "slug"),
        event_slug=text_or_none(fields, "event_slug", "eventSlug"),
        icon=text_or_none(fields, "icon"),
        end_date=day_or_moment(first_of(fields, "end_date", "endDate")),
    )
