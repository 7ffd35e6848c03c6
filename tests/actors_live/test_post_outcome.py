import json
from typing import Any

import pytest
from actors_live.live_cases import HASH, T0, D, signed
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY

from actors.rules.live.post_outcome import REFUSALS, OutcomeKind, outcome_of
from protocols.live.events import Accepted, Refused, Unknown
from protocols.live.orders import Side
from protocols.venue.clob_orders import Answered, Lost, PostReply, Unsent

ACCEPTED, REFUSED = OutcomeKind.PROVED_ACCEPTED, OutcomeKind.PROVED_REFUSED
UNKNOWN, AGAIN = OutcomeKind.UNKNOWN, OutcomeKind.NOT_SENT_RETRY
OTHER = "0x" + "ee" * 32
HTML = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>"


def body(**fields: Any) -> bytes:
    whole = {"success": True, "errorMsg": "", "orderID": HASH, "status": "live", "makingAmount": "", "takingAmount": ""}
    return json.dumps({**whole, **fields}).encode()


def error(text: str, **more: Any) -> bytes:
    return json.dumps({"error": text, **more}).encode()


def told(reply: PostReply, side: Side = Side.BUY) -> tuple[OutcomeKind, str]:
    outcome = outcome_of(reply, signed(), side, T0)
    return outcome.kind, outcome.reason


# Each status with each shape of a body; texts are those of venue.md §4.3.
ANSWERS: list[tuple[int, bytes, OutcomeKind, str]] = [
    (200, body(), ACCEPTED, "live"),
    (200, body(status="matched", makingAmount="1.519999", takingAmount="2.140844"), ACCEPTED, "matched"),
    (200, body(status="MATCHED", takingAmount="5"), ACCEPTED, "matched"),
    (200, body(status="delayed", makingAmount="0", takingAmount="0"), ACCEPTED, "delayed"),
    (200, body(status="unmatched"), ACCEPTED, "unmatched"),
    (200, body(orderID=HASH.upper().replace("0X", "0x")), ACCEPTED, "live"),
    (200, body(orderID=OTHER), UNKNOWN, "other_order"),
    (200, body(orderID=OTHER, success=False, errorMsg="not enough balance / allowance"), UNKNOWN, "other_order"),
    (200, body(orderID=""), UNKNOWN, "unclear"),
    (200, body(status=""), UNKNOWN, "unclear"),
    (200, body(status="pondering"), UNKNOWN, "unclear"),
    (200, body(success=False), UNKNOWN, "unclear"),
    (200, body(errorMsg="but something is odd"), UNKNOWN, "unclear"),
    (200, body(success=False, orderID="", status="", errorMsg="not enough balance / allowance"), REFUSED, "not_enough_balance"),
    (200, body(orderID="", status="", errorMsg="Rate limit exceeded for tokenId: 77"), REFUSED, "refused"),
    (200, body(orderID="", status="", errorMsg=f"order {HASH} is invalid. Duplicated."), UNKNOWN, "duplicated"),
    (200, body(success="yes"), UNKNOWN, "unreadable"),
    (200, body(status="matched", takingAmount="many"), UNKNOWN, "unreadable"),
    (200, error("could not insert order"), UNKNOWN, "unreadable"),
    (200, HTML, UNKNOWN, "unreadable"),
    (200, b"", UNKNOWN, "unreadable"),
    (200, body()[:-20], UNKNOWN, "unreadable"),
    (200, b"[]", UNKNOWN, "unreadable"),
    (200, b"null", UNKNOWN, "unreadable"),
    (201, body(), UNKNOWN, "http_201"),
    (202, b"", UNKNOWN, "http_202"),
    (204, b"", UNKNOWN, "http_204"),
    (301, b"", UNKNOWN, "http_301"),
    (302, HTML, UNKNOWN, "http_302"),
    (400, error("not enough balance / allowance"), REFUSED, "not_enough_balance"),
    (400, error("the allowance is not enough -> spender: 0xE111, allowance: 0"), REFUSED, "not_enough_balance"),
    (400, error("order couldn't be fully filled. FOK orders are fully filled or killed."), REFUSED, "fok_killed"),
    (400, error("no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."),
     REFUSED, "fak_no_match"),
    (400, error("invalid post-only order: order crosses book"), REFUSED, "post_only_crosses"),
    (400, error("order 0xab is invalid. Price (100) breaks minimum tick size rule: 0.1"), REFUSED, "tick_size"),
    (400, error("order 0xab is invalid. Size (1.73) lower than the minimum: 5"), REFUSED, "min_size"),
    (400, error("invalid amount for a marketable BUY order ($0.17), min size: $1"), REFUSED, "min_size"),
    (400, error("the market buy orders maker amount supports a max accuracy of 2 decimals, taker amount a max of 5 decimals"),
     REFUSED, "amounts"),
    (400, error("invalid amounts, the buy orders maker amount supports a max accuracy of 4 decimals"), REFUSED, "amounts"),
    (400, error("'0x11' address in closed only mode"), REFUSED, "closed_only"),
    (400, error("'0x11' address banned"), REFUSED, "banned"),
    (400, error("order_version_mismatch"), REFUSED, "version_mismatch"),
    (400, error("the market is not yet ready to process new orders"), REFUSED, "market_not_ready"),
    (400, error("order 0xab is invalid. invalid expiration"), REFUSED, "expiration"),
    (400, error("order 0xab is invalid. invalid nonce"), REFUSED, "nonce"),
    (400, error("the order owner has to be the owner of the API KEY"), REFUSED, "owner"),
    (400, error("the order signer address has to be the address of the API KEY"), REFUSED, "owner"),
    (400, error("Invalid order payload"), REFUSED, "payload"),
    (400, error("something that nobody has seen yet"), REFUSED, "refused"),
    (400, json.dumps({"error_msg": "not enough balance"}).encode(), REFUSED, "not_enough_balance"),
    (400, error(f"order {HASH} is invalid. Duplicated. Same order has been placed"), UNKNOWN, "duplicated"),
    (400, HTML, UNKNOWN, "http_400"),
    (400, b"", UNKNOWN, "http_400"),
    (400, b'{"error":""}', UNKNOWN, "http_400"),
    (400, b'{"error":{"nested":1}}', UNKNOWN, "http_400"),
    (401, error("Unauthorized/Invalid api key"), AGAIN, "unauthorized"),
    (401, HTML, UNKNOWN, "http_401"),
    (403, error("Trading restricted in your region, please refer to available regions"), REFUSED, "forbidden"),
    (403, HTML, UNKNOWN, "http_403"),
    (404, error("No orderbook exists for the requested token id"), REFUSED, "no_book"),
    (404, HTML, UNKNOWN, "http_404"),
    (405, error("method"), UNKNOWN, "http_405"),
    (408, b"", UNKNOWN, "http_408"),
    (409, error("conflict"), UNKNOWN, "http_409"),
    (425, error("matching engine is restarting", retry_after_seconds=5), AGAIN, "restarting"),
    (425, HTML, UNKNOWN, "http_425"),
    (429, error("rate limited"), AGAIN, "rate_limited"),
    (429, HTML, UNKNOWN, "http_429"),
    (500, error("could not insert order"), UNKNOWN, "http_500"),
    (500, HTML, UNKNOWN, "http_500"),
    (502, HTML, UNKNOWN, "http_502"),
    (503, error("Trading is currently cancel-only. New orders are not accepted"), REFUSED, "restricted_mode"),
    (503, error("post-only mode: only post-only orders and cancels are allowed", code="post_only_mode"),
     REFUSED, "restricted_mode"),
    (503, error("try later", code="post_only_mode", retry_after_seconds=30), REFUSED, "restricted_mode"),
    (503, error("upstream connect error"), UNKNOWN, "http_503"),
    (503, HTML, UNKNOWN, "http_503"),
    (504, b"", UNKNOWN, "http_504"),
    (520, HTML, UNKNOWN, "http_520"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "content", "kind", "reason"), ANSWERS)
def test_what_an_answer_proves(status, content, kind, reason):
    assert told(Answered(status=status, body=content)) == (kind, reason)


def test_no_answer_proves_nothing_and_no_request_proves_that_there_is_no_order():
    assert told(Lost("time-out while reading")) == (UNKNOWN, "lost")
    assert told(Unsent("connection refused")) == (AGAIN, "unsent")


def test_every_text_of_a_refusal_has_a_row_of_its_own():
    named = {reason for status, _, kind, reason in ANSWERS if status == 400 and kind is REFUSED}
    # A signature that is refused, and markets of other words, have no captured text.
    assert {reason for _, reason in REFUSALS} - named == {"signature", "no_book", "market"}


@pytest.mark.parametrize(("mark", "reason"), REFUSALS)
def test_every_mark_of_a_refusal_is_found_whatever_its_case(mark, reason):
    assert told(Answered(status=400, body=error(f"order is wrong: {mark.upper()}!"))) == (REFUSED, reason)


def test_only_a_lack_of_money_latches():
    latching = [
        reason for status, content, _, reason in ANSWERS
        if outcome_of(Answered(status=status, body=content), signed(), Side.BUY, T0).latch
    ]  # fmt: skip
    assert set(latching) == {"not_enough_balance"}
    assert len(latching) == 4


def test_what_may_be_sent_again_says_when():
    for reply, seconds in (
        (Answered(status=429, body=error("slow down"), retry_after_s=7.5), 7.5),
        (Answered(status=425, body=error("restarting")), 1.0),
        (Unsent("refused"), None),
    ):
        outcome = outcome_of(reply, signed(), Side.BUY, T0)
        assert (outcome.kind, outcome.retry_after_s, outcome.event) == (AGAIN, seconds, None)


def test_shares_of_an_answer_are_what_a_buy_takes_and_a_sale_gives():
    reply = Answered(
        status=200, body=body(status="matched", makingAmount="2.38", takingAmount="0.952", tradeIDs=["t1"])
    )
    for side, shares in ((Side.BUY, "0.952"), (Side.SELL, "2.38")):
        event = outcome_of(reply, signed(), side, T0).event
        assert event == Accepted(
            order_hash=HASH, venue_status="matched", matched_shares=D(shares), trade_ids=("t1",), at_ms=T0
        )


EVENTS = {ACCEPTED: Accepted, REFUSED: Refused, UNKNOWN: Unknown, AGAIN: type(None)}
SHAPES = st.one_of(
    st.binary(max_size=40),
    st.just(HTML),
    st.text(max_size=60).map(error),
    st.builds(
        body, status=st.sampled_from(["live", "matched", "", "x"]), orderID=st.sampled_from([HASH, OTHER, "", None, 5]),
        success=st.sampled_from([True, False, None, "true"]), errorMsg=st.sampled_from(["", "Duplicated", "bad", None]),
        takingAmount=st.sampled_from(["", "0", "1.5", "NaN", "-1e999", None, 7]),
    ),
)  # fmt: skip
REPLIES = st.one_of(
    st.builds(Answered, status=st.integers(100, 599), body=SHAPES, retry_after_s=st.none() | st.floats(0, 60)),
    st.builds(Lost, st.text(max_size=20)),
    st.builds(Unsent, st.text(max_size=20)),
)


@given(REPLIES, st.sampled_from(list(Side)))
@MANY
def test_every_reply_has_an_outcome_and_only_plain_words_of_the_venue_prove_anything(reply, side):
    outcome = outcome_of(reply, signed(), side, T0)
    assert isinstance(outcome.event, EVENTS[outcome.kind])
    assert outcome.event is None or outcome.event.order_hash == HASH
    assert len(outcome.reason) <= 30
    if outcome.kind is ACCEPTED:
        assert isinstance(reply, Answered)
        assert reply.status == 200
        answer = json.loads(reply.body)
        assert (answer["success"], answer["orderID"], answer["errorMsg"] or "") == (True, HASH, "")
    if outcome.kind is REFUSED:
        assert isinstance(reply, Answered)
        assert reply.status in (200, 400, 403, 404, 503)
        assert isinstance(json.loads(reply.body), dict)
    if outcome.kind is AGAIN:
        assert isinstance(reply, Unsent) or (isinstance(reply, Answered) and reply.status in (401, 425, 429))
