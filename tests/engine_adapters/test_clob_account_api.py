"""An account at a venue that answers anything: credentials, reads and their pages, and what proves that there is no order."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from engine_adapters.raw_http import Server, serving

from engine.adapters.clob_account_api import ClobAccountApi, create_or_derive_key, server_skew_s
from engine.adapters.signer import Signer
from protocols.errors import RejectedError, TransientError
from protocols.venue.clob_auth import ApiCreds, l1_digest
from protocols.venue.clob_orders import Answered
from protocols.venue.order_typed_data import keccak256

NOW_S = 1_795_000_000
SIGNER = Signer(keccak256(b"account api tests"))
SECRET = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
CREDS = {"apiKey": "key-1", "secret": SECRET, "passphrase": "phrase"}
FUNDER = "0x" + "Ab" * 20
ORDER = {
    "id": "0xAA", "status": "ORDER_STATUS_LIVE", "market": "0xC0", "asset_id": "7", "side": "BUY", "price": "0.5",
    "original_size": "10", "size_matched": "2", "order_type": "GTC", "created_at": NOW_S, "associate_trades": ["t1"],
}  # fmt: skip
TRADE = {
    "id": "t1", "taker_order_id": "0xAA", "market": "0xC0", "asset_id": "7", "side": "BUY", "size": "2", "price": "0.5",
    "status": "TRADE_STATUS_MINED", "match_time": str(NOW_S), "trader_side": "TAKER", "transaction_hash": "",
    "maker_orders": [],
}  # fmt: skip


class At:
    """A clock that stands still."""

    def now_ms(self) -> int:
        return NOW_S * 1000 + 900


class Venue:
    """Answers each path with what is left for it, the last for ever; asserts that every read is authenticated."""

    def __init__(self, **answers) -> None:
        self.answers = {
            "/time": [(200, NOW_S)], "/auth/derive-api-key": [(200, CREDS)],
            **{f"/{name.replace('__', '/')}": list(one) for name, one in answers.items()},
        }  # fmt: skip
        self.asked: list[str] = []
        self.server: Server | None = None

    async def then(self, stream: trio.SocketStream) -> None:
        head, _, body = self.server.requests[-1].partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.upper(): value for name, value in (line.split(": ", 1) for line in lines)}
        self.asked.append(f"{method} {target}")
        path = target.partition("?")[0]
        if path.startswith("/auth/d") or path == "/auth/api-key":
            signature = SIGNER.sign_digest(l1_digest(SIGNER.address, int(headers["POLY_TIMESTAMP"]), 0, 137)).hex()
            assert headers["POLY_SIGNATURE"] == "0x" + signature
        elif path != "/time":
            wanted = ApiCreds(*CREDS.values()).l2_headers(
                SIGNER.address, int(headers["POLY_TIMESTAMP"]), method, path, body
            )
            assert {name: headers[name] for name in wanted} == wanted
        left = self.answers[path if path in self.answers else path.rpartition("/")[0]]
        status, answer = left.pop(0) if len(left) > 1 else left[0]
        raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        await stream.send_all(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(raw)) + raw)


@asynccontextmanager
async def account(**answers) -> AsyncIterator[tuple[Venue, ClobAccountApi]]:
    venue = Venue(**answers)
    async with serving(venue.then) as (server, lanes):
        venue.server = server
        yield (
            venue,
            ClobAccountApi(
                lanes=lanes, reads=lanes, signer=SIGNER, funder=FUNDER, signature_type=2, chain_id=137, clock=At()
            ),
        )


def error(text: str) -> dict[str, str]:
    return {"error": text}


async def test_credentials_are_derived_once_by_whoever_needs_them_first():
    async with account(data__orders=[(200, {"data": [], "next_cursor": "LTE="})]) as (venue, api):
        with pytest.raises(TransientError):
            api.own()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(api.open_orders)
            nursery.start_soon(api.open_orders)
        assert venue.asked == ["GET /time", "GET /auth/derive-api-key", *["GET /data/orders?next_cursor=MA=="] * 2]
        assert (api.own().api_key, api.own().address) == ("key-1", FUNDER.lower())


@pytest.mark.parametrize("status", [400, 404])
async def test_a_wallet_without_credentials_gets_some(status):
    refusals = [(status, error("Could not derive api key!"))]
    async with account(**{"auth__derive-api-key": refusals, "auth__api-key": [(200, CREDS)]}) as (venue, api):
        assert (await api.creds()).key == "key-1"
        assert venue.asked[1:] == ["GET /auth/derive-api-key", "POST /auth/api-key"]


@pytest.mark.parametrize(
    ("derived", "made", "raised"),
    [
        ((401, error("Invalid L1 Request headers")), (401, error("Invalid L1 Request headers")), RejectedError),
        ((403, error("Trading restricted in your region")), (403, error("Trading restricted")), RejectedError),
        ((502, b"<html>"), (400, error("Could not create api key")), TransientError),
        ((502, b"<html>"), (502, b"<html>"), TransientError),
        ((403, b"<html>blocked"), (403, b"<html>blocked"), TransientError),
        ((200, {"apiKey": "k", "secret": "", "passphrase": "p"}), (400, error("exists")), TransientError),
        ((200, {"apiKey": "k", "secret": "x", "passphrase": "p"}), (400, error("exists")), TransientError),
        ((200, [1]), (200, b""), TransientError),
    ],
)
async def test_credentials_that_do_not_come_are_refused_or_weather(derived, made, raised):
    async with account(**{"auth__derive-api-key": [derived], "auth__api-key": [made]}) as (_, api):
        with pytest.raises(raised):
            await api.creds()
        with pytest.raises(raised):
            await create_or_derive_key(api.lanes, SIGNER, chain_id=137, clock=At())


async def test_credentials_are_got_before_an_order_and_anew_after_a_401():
    answers = {
        "order": [(401, error("Unauthorized/Invalid api key")), (200, {})],
        "data__trades": [(200, {"data": []})],
    }
    async with account(**answers) as (venue, api):
        first = await api.post_order(b'{"order":1}')
        assert isinstance(first, Answered)
        assert first.status == 401
        assert venue.asked[-1] == "POST /order"
        again = await api.post_order(b'{"order":1}')
        assert isinstance(again, Answered)
        assert again.status == 200
        assert venue.asked.count("GET /auth/derive-api-key") == 2


@pytest.mark.parametrize(
    ("venue_s", "skew_s"), [(NOW_S, 0), (NOW_S + 1, 0), (NOW_S - 1, 0), (NOW_S + 90, 90), (NOW_S - 7200, -7200)]
)
async def test_requests_carry_the_time_of_the_venue(venue_s, skew_s):
    async with account(time=[(200, venue_s)], data__trades=[(200, {"data": []})]) as (venue, api):
        await api.trades()
        assert api.skew_s == skew_s
        assert f"POLY_TIMESTAMP: {NOW_S + skew_s}".lower() in venue.server.requests[-1].decode().lower()


@pytest.mark.parametrize("body", [b"", b"-5", b"soon", b"9" * 5_000, b"1.5", b"<html>"])
async def test_a_time_that_is_none_is_weather(body):
    async with account(time=[(200, body)]) as (_, api):
        with pytest.raises(TransientError):
            await server_skew_s(api.reads, At())


@pytest.mark.parametrize("answer", [(404, error("order not found")), (200, b""), (200, b"null"), (200, b" {} ")])
async def test_these_answers_prove_that_there_is_no_order(answer):
    async with account(data__order=[answer]) as (venue, api):
        assert await api.order("0xaa") is None
        assert venue.asked[-1] == "GET /data/order/0xaa"


@pytest.mark.parametrize(
    "answer",
    [
        (404, b"<html>not found"), (404, b""), (500, error("x")), (429, error("slow down")), (502, b"<html>"),
        (200, b"<html>"), (200, b"[]"), (200, error("x")), (200, {**ORDER, "price": "2"}), (302, b""), (204, b""),
    ],
)  # fmt: skip
async def test_these_answers_prove_nothing(answer):
    async with account(data__order=[answer]) as (_, api):
        with pytest.raises(TransientError):
            await api.order("0xaa")


@pytest.mark.parametrize("answer", [(400, error("x")), (401, error("x")), (403, error("region"))])
async def test_a_refused_read_is_no_proof_either(answer):
    async with account(data__order=[answer]) as (_, api):
        with pytest.raises(RejectedError):
            await api.order("0xaa")


async def test_an_order_is_read():
    async with account(data__order=[(200, ORDER)]) as (_, api):
        order = await api.order("0xaa")
        assert (order.order_hash, order.status, order.trade_ids) == ("0xaa", "LIVE", ("t1",))


async def test_lists_are_read_to_their_last_page_and_leave_out_what_is_not_understood():
    pages = [
        (200, {"data": [ORDER, {**ORDER, "id": 5}], "next_cursor": "MTAw"}),
        (200, {"data": [{**ORDER, "id": "0xbb"}], "next_cursor": "a&b=/"}),
        (200, {"data": [{**ORDER, "price": None}, 5, {**ORDER, "id": "0xcc"}], "next_cursor": "LTE="}),
    ]
    async with account(data__orders=pages) as (venue, api):
        assert [one.order_hash for one in await api.open_orders()] == ["0xaa", "0xbb", "0xcc"]
        cursors = [one.partition("next_cursor=")[2] for one in venue.asked[2:]]
        assert cursors == ["MA==", "MTAw", "a%26b=%2F"]


async def test_trades_are_asked_for_by_time_and_id_and_read():
    pages = [(200, {"data": [TRADE, {**TRADE, "status": "?"}], "next_cursor": "LTE="})]
    async with account(data__trades=pages) as (venue, api):
        [fill] = await api.trades(after_s=NOW_S, trade_id="t1")
        assert (fill.order_hash, fill.status, fill.transaction_hash, fill.role) == ("0xaa", "MINED", None, "TAKER")
        assert venue.asked[-1] == f"GET /data/trades?next_cursor=MA==&id=t1&after={NOW_S}"


async def test_a_cursor_that_stands_still_is_weather():
    async with account(data__trades=[(200, {"data": [TRADE], "next_cursor": "MA=="})]) as (_, api):
        with pytest.raises(TransientError, match="cursor"):
            await api.trades()


async def test_cancels_go_a_thousand_a_request_and_say_what_was_not_cancelled():
    answers = [
        (200, {"canceled": ["0xA"], "not_canceled": {}}),
        (200, {"canceled": [], "not_canceled": {"0xB": "already matched"}}),
    ]
    async with account(orders=answers) as (venue, api):
        found = await api.cancel([f"0x{number}" for number in range(1_001)])
        assert (found.canceled, dict(found.not_canceled)) == (("0xa",), {"0xb": "already matched"})
        sizes = [len(json.loads(one.partition(b"\r\n\r\n")[2])) for one in venue.server.requests[2:]]
        assert sizes == [1_000, 1]
        assert venue.asked[2:] == ["DELETE /orders"] * 2


async def test_balances_are_those_of_the_wallet_type():
    balance = {"balance": "5000000", "allowances": {"0xE1": "7"}}
    answers = {"balance-allowance": [(200, balance)], "auth__ban-status__closed-only": [(200, {"closed_only": True})]}
    async with account(**answers) as (venue, api):
        assert (await api.collateral()).balance_micro == 5_000_000
        assert (await api.conditional("77")).allowances_micro == {"0xe1": 7}
        assert await api.closed_only()
        assert venue.asked[2:4] == [
            "GET /balance-allowance?asset_type=COLLATERAL&signature_type=2",
            "GET /balance-allowance?asset_type=CONDITIONAL&token_id=77&signature_type=2",
        ]


async def test_an_account_shows_neither_key_nor_credentials():
    async with account() as (_, api):
        await api.creds()
        assert SECRET not in repr(api)
        assert "phrase" not in repr(api)
