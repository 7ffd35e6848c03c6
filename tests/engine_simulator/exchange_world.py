"""An exchange without sockets, wallets that sign for real, and requests as a client would send them."""

import json
from decimal import Decimal
from typing import Any

import attrs

from engine.adapters.signer import Signer
from engine.simulator.exchange.api_keys import SignedRequest
from engine.simulator.exchange.exchange import Exchange
from engine.simulator.exchange.replies import Reply
from engine.simulator.exchange.trading_api import TradingApi
from engine.simulator.market import Market, MarketDirectory
from engine.simulator.seeds import generator
from protocols.venue.clob_auth import ApiCreds, l1_digest, l1_headers
from protocols.venue.clob_orders import encode_post
from protocols.venue.order_amounts import limit_amounts, market_buy_amounts, market_sell_amounts
from protocols.venue.order_typed_data import Order, exchange_of, keccak256

START_MS = 1_795_000_000_000
YES, NO = str((1 << 200) + (5 << 40) + 1), str((1 << 201) + (7 << 40) + 2)
POSITION = str(3 << 200)
CHAIN = 137


def lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def market(**changed: Any) -> Market:
    fields: dict[str, Any] = {
        "market_id": "1",
        "condition_id": "0x" + "11" * 32,
        "question": "Will it?",
        "slug": "will-it",
        "event_slug": "will-it",
        "outcomes": ("Yes", "No"),
        "token_ids": (YES, NO),
        "start_ms": START_MS,
        "end_ms": START_MS + 10**9,
    }
    return Market(**(fields | changed))


@attrs.define(eq=False)
class Wallet:
    """A key with credentials, and the wallet that it signs for."""

    signer: Signer
    creds: ApiCreds
    funder: str
    signature_type: int = 0

    def request(
        self, method: str, path: str, body: Any = None, query: dict[str, str] | None = None, at_ms: int = START_MS
    ) -> SignedRequest:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = self.creds.l2_headers(self.signer.address, at_ms // 1000, method, path, raw)
        return SignedRequest(method=method, path=path, headers=lower(headers), query=query or {}, body=raw)


class ExchangeWorld:
    """One market with an empty, fixed book unless it is said otherwise, and a time that the test moves."""

    def __init__(self, *, empty: bool = True, lag_scale: float = 1.0, seed: int = 1, **changed: Any) -> None:
        self.markets = MarketDirectory()
        self.market = market(**changed)
        self.markets.add(self.market)
        rng = generator(seed, "exchange tests")
        self.exchange = Exchange(self.markets, seed=seed, rng=rng, lag_scale=lag_scale)
        self.api = TradingApi(self.exchange)
        self.now_ms = START_MS
        self.events: list[Any] = []
        self.exchange.listeners.append(self.events.append)
        self._salt = 0
        if empty:
            self.book({}, {})

    def book(self, bids: dict[str, str], asks: dict[str, str]) -> None:
        sides = [{Decimal(price): Decimal(size) for price, size in levels.items()} for levels in (bids, asks)]
        self.exchange.set_book(self.market, *sides, self.now_ms)

    def wallet(
        self, name: str, usd: int = 1_000, yes: int = 0, no: int = 0, *, signature_type: int = 0, **more: Any
    ) -> Wallet:
        signer = Signer(keccak256(name.encode()))
        funder = signer.address if signature_type == 0 else "0x" + keccak256(name.encode() + b"!")[:20].hex()
        self.exchange.accounts.open(
            funder,
            collateral_micro=usd * 1_000_000,
            signature_type=signature_type,
            positions={YES: yes * 1_000_000, NO: no * 1_000_000},
            **more,
        )
        reply = self.call(self.l1(signer, "POST", "/auth/api-key"))
        assert reply.status == 200
        creds = ApiCreds(reply.body["apiKey"], reply.body["secret"], reply.body["passphrase"])
        return Wallet(signer, creds, funder, signature_type)

    def l1(self, signer: Signer, method: str, path: str, nonce: int = 0) -> SignedRequest:
        digest = l1_digest(signer.address, self.now_ms // 1000, nonce, CHAIN)
        headers = l1_headers(signer.address, "0x" + signer.sign_digest(digest).hex(), self.now_ms // 1000, nonce)
        return SignedRequest(method=method, path=path, headers=lower(headers))

    def call(self, request: SignedRequest) -> Reply:
        """The answer, the clock moved as far as it takes."""
        handling = self.api.handle(request, self.now_ms)
        while (due_ms := handling.due_ms) is not None:
            self.now_ms = max(self.now_ms, due_ms)
            self.api.tick(self.now_ms)
        return handling.reply()

    def advance(self, ms: int) -> None:
        self.now_ms += ms
        self.api.tick(self.now_ms)

    def body(
        self,
        wallet: Wallet,
        side: str,
        price: str,
        size: str,
        *,
        token: str = YES,
        order_type: str = "GTC",
        post_only: bool = False,
        expiration_s: int = 0,
        amounts: tuple[int, int] | None = None,
        **order: Any,
    ) -> bytes:
        """`size` is shares, of a FAK or FOK BUY dollars."""
        tick, at = self.market.tick_size, Decimal(price)
        if amounts is None:
            made = (
                limit_amounts(side, at, Decimal(size), tick)
                if order_type in ("GTC", "GTD")
                else (market_buy_amounts if side == "BUY" else market_sell_amounts)(Decimal(size), at, tick)
            )
            amounts = made.maker, made.taker
        self._salt += 1
        signer = wallet.funder if wallet.signature_type == 3 else wallet.signer.address
        fields: dict[str, Any] = {
            "salt": self._salt,
            "maker": wallet.funder,
            "signer": signer,
            "token_id": int(token),
            "maker_amount": amounts[0],
            "taker_amount": amounts[1],
            "side": side,
            "signature_type": wallet.signature_type,
            "timestamp_ms": self.now_ms,
        }
        signed = Order(**(fields | order))
        exchange = exchange_of(CHAIN, negative_risk=self.market.negative_risk, token_id=int(token))
        _, signature = wallet.signer.sign_order(signed, exchange)
        return encode_post(
            signed,
            signature,
            owner=wallet.creds.key,
            order_type=order_type,
            post_only=post_only,
            expiration_s=expiration_s,
        )

    def post(self, wallet: Wallet, *args: Any, **more: Any) -> Reply:
        return self.call(wallet.request("POST", "/order", self.body(wallet, *args, **more)))

    def usd(self, wallet: Wallet) -> Decimal:
        account = self.exchange.accounts.get(wallet.funder)
        assert account is not None
        return Decimal(account.collateral_micro).scaleb(-6)

    def shares(self, wallet: Wallet, token: str = YES) -> Decimal:
        account = self.exchange.accounts.get(wallet.funder)
        assert account is not None
        return Decimal(account.shares_micro(token)).scaleb(-6)
