"""One account at the CLOB over HTTP: authentication, orders, cancels and reads (venue.md §4)."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import quote

import attrs
import msgspec
import trio

from engine.adapters.clob_lanes import ClobLanes
from engine.adapters.signer import Signer
from protocols.clock import WallClock
from protocols.errors import MalformedError, RejectedError, TransientError
from protocols.venue.clob_account import (
    FIRST_CURSOR,
    BalanceAllowance,
    OwnWallet,
    VenueFill,
    VenueOrder,
    read_balance,
    read_order,
    read_page,
    read_trade,
)
from protocols.venue.clob_auth import ApiCreds, l1_digest, l1_headers
from protocols.venue.clob_orders import Answered, CancelAnswer, PostReply, Unsent, error_text, read_cancel_answer
from protocols.venue.strict_json import read_object

T = TypeVar("T")
_log = logging.getLogger(__name__)
PAGES_MAX = 1_000
CANCELS_MAX = 1_000
"""Ids that one `DELETE /orders` takes (venue.md §4.6)."""
_REFUSALS = frozenset({400, 401, 403, 404, 410, 422})
_EPOCH_DIGITS_MAX = 12
_encode = msgspec.json.Encoder().encode


@attrs.define(eq=False, kw_only=True)
class ClobAccountApi:
    """`ClobAccount` of the venue."""

    lanes: ClobLanes
    reads: ClobLanes
    """Of their own, so that looking never holds up an order."""
    signer: Signer
    funder: str
    signature_type: int
    chain_id: int
    clock: WallClock
    skew_s: int = attrs.field(init=False, default=0)
    """Seconds by which the venue's clock is ahead of ours."""
    _creds: ApiCreds | None = attrs.field(init=False, default=None, repr=False)
    _asking: trio.Lock = attrs.field(init=False, factory=trio.Lock)

    def api_key(self) -> str:
        """Returns the owner of the account's orders. Raises `TransientError` before the venue gave credentials."""
        if self._creds is None:
            raise TransientError("no API credentials yet")
        return self._creds.key

    def own(self) -> OwnWallet:
        """Returns what of a trade is ours. Raises as `api_key` does."""
        return OwnWallet(self.api_key(), self.funder.lower())

    async def creds(self) -> ApiCreds:
        """Returns the API credentials, got from the venue when they are needed first: they are kept nowhere.

        Raises `TransientError` and `RejectedError`.
        """
        async with self._asking:
            if self._creds is None:
                self.skew_s = await server_skew_s(self.reads, self.clock)
                self._creds = await create_or_derive_key(
                    self.reads, self.signer, chain_id=self.chain_id, clock=self.clock, skew_s=self.skew_s
                )
            return self._creds

    async def post_order(self, body: bytes) -> PostReply:
        """Sends signed bytes once. Without credentials nothing is sent."""
        try:
            creds = self._creds or await self.creds()
        except (TransientError, RejectedError) as error:
            return Unsent(f"no API credentials: {error}"[:200])
        reply = await self.lanes.send("POST", "/order", headers=self._headers(creds, "POST", "/order", body), body=body)
        self._note(reply)
        return reply

    async def cancel(self, order_hashes: Sequence[str]) -> CancelAnswer:
        """Cancels orders, a thousand a request."""
        canceled, refused = list[str](), dict[str, str]()
        for start in range(0, len(order_hashes), CANCELS_MAX):
            body = _encode(list(order_hashes[start : start + CANCELS_MAX]))
            answer = await self._asked("DELETE", "/orders", read_cancel_answer, body=body)
            canceled += answer.canceled
            refused |= answer.not_canceled
        return CancelAnswer(canceled=tuple(canceled), not_canceled=refused)

    async def order(self, order_hash: str) -> VenueOrder | None:
        """Returns how an order stands, or None when the venue says that there is none: 404, or an empty 200."""
        path = f"/data/order/{order_hash}"
        reply = await self._reply("GET", path)
        if isinstance(reply, Answered) and reply.status == 404 and error_text(reply.body) is not None:
            return None
        body = _body(reply, path)
        if body.strip() in (b"", b"null", b"{}"):
            return None
        return _read(lambda: read_order(read_object(body)), path)

    async def open_orders(self) -> list[VenueOrder]:
        """Returns all live orders; a row that is not understood is left out: if it is ours it is asked for by itself."""
        orders: list[VenueOrder] = []
        for row in await self._rows("/data/orders", ""):
            try:
                orders.append(read_order(row))
            except MalformedError as error:
                _log.warning("an open order was not understood", extra={"error": str(error)[:200]})
        return orders

    async def trades(self, *, after_s: int | None = None, trade_id: str | None = None) -> list[VenueFill]:
        """Returns our fills; a row that is not understood is left out, and asked for again with its order."""
        query = f"&id={trade_id}" if trade_id else ""
        query += f"&after={after_s}" if after_s is not None else ""
        fills: list[VenueFill] = []
        for row in await self._rows("/data/trades", query):
            try:
                fills += read_trade(row, self.own())
            except MalformedError as error:
                _log.warning("a trade was not understood", extra={"error": str(error)[:200]})
        return fills

    async def collateral(self) -> BalanceAllowance:
        """Returns pUSD and what exchanges may take of it."""
        return await self._balance("asset_type=COLLATERAL")

    async def conditional(self, token_id: str) -> BalanceAllowance:
        """Returns shares of a token."""
        return await self._balance(f"asset_type=CONDITIONAL&token_id={token_id}")

    async def closed_only(self) -> bool:
        """Returns whether the account may only close positions."""
        path = "/auth/ban-status/closed-only"
        return bool(await self._asked("GET", path, lambda body: read_object(body).get("closed_only")))

    async def _balance(self, query: str) -> BalanceAllowance:
        query = f"{query}&signature_type={self.signature_type}"
        return await self._asked("GET", "/balance-allowance", read_balance, query=query)

    async def _rows(self, path: str, query: str) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        cursor = FIRST_CURSOR
        for _ in range(PAGES_MAX):
            page = await self._asked("GET", path, read_page, query=f"next_cursor={quote(cursor, safe='=')}{query}")
            rows += page.rows
            if page.next_cursor is None:
                return rows
            if page.next_cursor == cursor:
                raise TransientError(f"{path}: the cursor does not move")
            cursor = page.next_cursor
        raise TransientError(f"{path}: more than {PAGES_MAX} pages")

    async def _asked(
        self, method: str, path: str, read: Callable[[bytes], T], *, body: bytes = b"", query: str = ""
    ) -> T:
        content = _body(await self._reply(method, path, body=body, query=query), path)
        return _read(lambda: read(content), path)

    async def _reply(self, method: str, path: str, *, body: bytes = b"", query: str = "") -> PostReply:
        headers = self._headers(await self.creds(), method, path, body)
        reply = await self.reads.send(method, path, headers=headers, body=body, query=query)
        self._note(reply)
        return reply

    def _note(self, reply: PostReply) -> None:
        """Credentials that the venue does not take any more, and a clock that went astray, are got anew."""
        if isinstance(reply, Answered) and reply.status == 401:
            self._creds = None

    def _headers(self, creds: ApiCreds, method: str, path: str, body: bytes = b"") -> dict[str, str]:
        timestamp_s = self.clock.now_ms() // 1000 + self.skew_s
        return creds.l2_headers(self.signer.address, timestamp_s, method, path, body)


async def create_or_derive_key(
    lanes: ClobLanes, signer: Signer, *, chain_id: int, clock: WallClock, skew_s: int = 0, nonce: int = 0
) -> ApiCreds:
    """Returns the API credentials of a wallet: derived where there are some, else made (venue.md §4.1).

    Raises `TransientError` and `RejectedError`.
    """

    async def asked(method: str, path: str) -> ApiCreds:
        timestamp_s = clock.now_ms() // 1000 + skew_s
        signature = "0x" + signer.sign_digest(l1_digest(signer.address, timestamp_s, nonce, chain_id)).hex()
        reply = await lanes.send(method, path, headers=l1_headers(signer.address, signature, timestamp_s, nonce))
        body = _body(reply, path)
        return _read(lambda: _creds(body), path)

    try:
        return await asked("GET", "/auth/derive-api-key")
    except (RejectedError, TransientError) as error:
        why_not_derived = error
    try:
        return await asked("POST", "/auth/api-key")
    except RejectedError:
        # Perhaps for those that there are: then what matters is why they were not told.
        if isinstance(why_not_derived, TransientError):
            raise why_not_derived from None
        raise


async def server_skew_s(lanes: ClobLanes, clock: WallClock) -> int:
    """Returns by how many seconds the venue's clock is ahead of ours, whole; within one nobody minds. Raises as reads do."""
    reply = await lanes.send("GET", "/time", headers={})
    body = _body(reply, "/time")
    digits = body.strip()
    if not digits.isdigit() or len(digits) > _EPOCH_DIGITS_MAX:
        raise TransientError("clob: /time answered something else")
    skew_s = int(digits) - clock.now_ms() // 1000
    return skew_s if abs(skew_s) > 1 else 0


def _creds(body: bytes) -> ApiCreds:
    fields = read_object(body)
    parts = [fields.get(name) for name in ("apiKey", "secret", "passphrase")]
    if not all(isinstance(part, str) and part for part in parts):
        raise MalformedError("credentials")
    return ApiCreds(*(str(part) for part in parts))


def _body(reply: PostReply, path: str) -> bytes:
    if not isinstance(reply, Answered):
        raise TransientError(f"clob: {path}: {reply.reason}")
    if reply.status == 200:
        return reply.body
    text = error_text(reply.body)
    if reply.status in _REFUSALS and text is not None:
        raise RejectedError(f"clob: {path} answered {reply.status}: {text}")
    raise TransientError(f"clob: {path} answered {reply.status}")


def _read(read: Callable[[], T], path: str) -> T:
    try:
        return read()
    except MalformedError as error:
        raise TransientError(f"clob: {path} answered something else: {error}") from None
