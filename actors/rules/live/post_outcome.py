"""What an answer to `POST /order` proves: accepted, refused, not sent, or nothing (I7). Total: every reply has a row.

Proof of a refusal is the venue's own JSON error with a status that it gives before matching. Anything else that is no
acceptance (a page of HTML, a 5xx, a body that is cut off, an answer about another order) proves nothing: the order may be
there.
"""

import enum
from decimal import Decimal

import attrs

from actors.rules.exact import ZERO
from protocols.errors import MalformedError
from protocols.live.events import Accepted, OrderEvent, Refused, Unknown
from protocols.live.orders import Side, SignedOrder
from protocols.venue.clob_orders import (
    Answered,
    Lost,
    OrderAnswer,
    PostReply,
    Unsent,
    error_code,
    error_text,
    read_order_answer,
)

RETRY_AFTER_DEFAULT_S = 1.0
UNAUTHORIZED = "unauthorized"
RESTARTING = "restarting"
"""Said by a server whose engine is coming up: the same bytes may go out again, but that it never took them is not proved."""
ACCEPTED_STATUSES = frozenset({"live", "matched", "delayed", "unmatched"})


class OutcomeKind(enum.Enum):
    """What is proved."""

    PROVED_ACCEPTED = "accepted"
    PROVED_REFUSED = "refused"
    UNKNOWN = "unknown"
    NOT_SENT_RETRY = "not_sent"
    """The venue does not have it: the same bytes may go out again."""


@attrs.frozen(kw_only=True)
class Outcome:
    """What an answer proves, and the news that it is."""

    kind: OutcomeKind
    reason: str
    """A short name, bounded: fit for a metric."""
    detail: str = ""
    retry_after_s: float | None = None
    latch: bool = False
    """The account has not enough: further entries would be refused as well."""
    event: OrderEvent | None = None
    """None of what may be sent again."""


# Texts of the venue's 400 in the order in which they are looked for, lower case (venue.md §4.3).
REFUSALS: tuple[tuple[str, str], ...] = (
    ("not enough balance", "not_enough_balance"),
    ("allowance", "not_enough_balance"),
    ("fok orders are fully filled or killed", "fok_killed"),
    ("no orders found to match with fak", "fak_no_match"),
    ("crosses book", "post_only_crosses"),
    ("tick size", "tick_size"),
    ("lower than the minimum", "min_size"),
    ("min size", "min_size"),
    ("max accuracy", "amounts"),
    ("closed only", "closed_only"),
    ("banned", "banned"),
    ("order_version_mismatch", "version_mismatch"),
    ("not yet ready", "market_not_ready"),
    ("invalid expiration", "expiration"),
    ("invalid nonce", "nonce"),
    ("signature", "signature"),
    ("owner", "owner"),
    ("signer", "owner"),
    ("invalid order payload", "payload"),
    ("invalid amount", "amounts"),
    ("no orderbook", "no_book"),
    ("market", "market"),
)
# Said about a hash that the venue has: it may be this very order, sent before.
_MAYBE_OURS = ("duplicated", "duplicate")


def outcome_of(reply: PostReply, signed: SignedOrder, side: Side, at_ms: int) -> Outcome:
    """Returns what a reply proves about an order."""
    if isinstance(reply, Unsent):
        return Outcome(kind=OutcomeKind.NOT_SENT_RETRY, reason="unsent", detail=reply.reason)
    if isinstance(reply, Lost):
        return _unknown(signed, "lost", reply.reason, at_ms)
    if reply.status == 200:
        return _of_answer(reply, signed, side, at_ms)
    text = error_text(reply.body)
    if text is None:
        # Whoever wrote this was not the exchange, or did not finish.
        return _unknown(signed, f"http_{reply.status}", "no error of the venue's", at_ms)
    return _of_error(reply, text, signed, at_ms)


def _of_answer(reply: Answered, signed: SignedOrder, side: Side, at_ms: int) -> Outcome:
    try:
        answer = read_order_answer(reply.body)
    except MalformedError as error:
        text = error_text(reply.body)
        detail = str(error) if text is None else text
        return _unknown(signed, "unreadable", detail, at_ms)
    if answer.order_hash and answer.order_hash != signed.order_hash:
        return _unknown(signed, "other_order", answer.order_hash, at_ms)
    accepted = answer.success and not answer.error and answer.order_hash and answer.status in ACCEPTED_STATUSES
    if accepted:
        event = Accepted(
            order_hash=signed.order_hash,
            venue_status=answer.status,
            matched_shares=_matched(answer, side),
            trade_ids=answer.trade_ids,
            at_ms=at_ms,
        )
        return Outcome(kind=OutcomeKind.PROVED_ACCEPTED, reason=answer.status, event=event)
    if answer.error and not answer.order_hash:
        # As an entry of a batch is refused: success or not, no id and a reason.
        return _refused_by_text(answer.error, signed, at_ms)
    return _unknown(signed, "unclear", answer.error or answer.status, at_ms)


def _of_error(reply: Answered, text: str, signed: SignedOrder, at_ms: int) -> Outcome:
    status = reply.status
    if status == 400:
        return _refused_by_text(text, signed, at_ms)
    if status == 401:
        # Old credentials, or a clock that went astray: both are got anew with the next request.
        return Outcome(kind=OutcomeKind.NOT_SENT_RETRY, reason=UNAUTHORIZED, detail=text, retry_after_s=0.0)
    if status in (403, 404):
        return _refused(signed, {403: "forbidden", 404: "no_book"}[status], text, at_ms)
    if status in (425, 429):
        # Not taken in: the engine restarts, or too much was asked of it.
        reason = RESTARTING if status == 425 else "rate_limited"
        retry_s = reply.retry_after_s if reply.retry_after_s is not None else RETRY_AFTER_DEFAULT_S
        return Outcome(kind=OutcomeKind.NOT_SENT_RETRY, reason=reason, detail=text, retry_after_s=retry_s)
    if status == 503 and _is_mode(reply, text):
        return _refused(signed, "restricted_mode", text, at_ms)
    return _unknown(signed, f"http_{status}", text, at_ms)


def _is_mode(reply: Answered, text: str) -> bool:
    """Cancel-only and post-only modes refuse before anything else; other 503 say nothing about the order."""
    lowered = text.lower()
    return error_code(reply.body) == "post_only_mode" or "cancel-only" in lowered or "post-only" in lowered


def _refused_by_text(text: str, signed: SignedOrder, at_ms: int) -> Outcome:
    lowered = text.lower()
    if any(mark in lowered for mark in _MAYBE_OURS):
        return _unknown(signed, "duplicated", text, at_ms)
    reason = next((reason for mark, reason in REFUSALS if mark in lowered), "refused")
    return _refused(signed, reason, text, at_ms, latch=reason == "not_enough_balance")


def _refused(signed: SignedOrder, reason: str, detail: str, at_ms: int, *, latch: bool = False) -> Outcome:
    event = Refused(order_hash=signed.order_hash, reason=reason, detail=detail, at_ms=at_ms)
    return Outcome(kind=OutcomeKind.PROVED_REFUSED, reason=reason, detail=detail, latch=latch, event=event)


def _unknown(signed: SignedOrder, reason: str, detail: str, at_ms: int) -> Outcome:
    event = Unknown(order_hash=signed.order_hash, why=f"{reason}: {detail}"[:300], at_ms=at_ms)
    return Outcome(kind=OutcomeKind.UNKNOWN, reason=reason, detail=detail, event=event)


def _matched(answer: OrderAnswer, side: Side) -> Decimal:
    """Shares of the answer: what a BUY takes and what a SELL makes."""
    shares = answer.taking if side is Side.BUY else answer.making
    return ZERO if shares is None else shares
