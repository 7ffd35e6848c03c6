"""A trader with a key of his own on a running simulator, over plain HTTP."""

import json
import time
from contextlib import asynccontextmanager
from decimal import Decimal

from exchange_world import CHAIN
from simulator_clients import running

from engine.adapters.signer import Signer
from protocols.venue.clob_auth import ApiCreds, l1_digest, l1_headers
from protocols.venue.clob_orders import encode_post
from protocols.venue.order_amounts import limit_amounts, market_buy_amounts, market_sell_amounts
from protocols.venue.order_typed_data import Order, exchange_of, keccak256


class Trader:
    """A client with a key of its own."""

    def __init__(self, venue, market, name="a trader in tests"):
        self.venue = venue
        self.market = market
        self.token = json.loads(market["clobTokenIds"])[0]
        self.signer = Signer(keccak256(name.encode()))
        self.address = self.signer.address
        self.salt = 0

    async def start(self, **account):
        await self.venue.control("/accounts", {"address": self.address, "collateral_usd": 100} | account)
        now_s = int(time.time())
        signature = "0x" + self.signer.sign_digest(l1_digest(self.address, now_s, 0, CHAIN)).hex()
        headers = l1_headers(self.address, signature, now_s, 0)
        made = await self.venue.http.post(self.venue.urls.clob_url + "/auth/api-key", headers=headers)
        self.creds = ApiCreds(made.json()["apiKey"], made.json()["secret"], made.json()["passphrase"])

    async def call(self, method, path, body=b"", query=None):
        headers = self.creds.l2_headers(self.address, int(time.time()), method, path, body)
        url = self.venue.urls.clob_url + path
        return await self.venue.http.request(method, url, headers=headers, content=body or None, params=query)

    def order(self, price, size, *, order_type="GTC", side="BUY", token=None):
        """Size is shares, of a BUY that takes at once dollars."""
        tick = Decimal(str(self.market["orderPriceMinTickSize"]))
        if order_type == "GTC":
            amounts = limit_amounts(side, Decimal(price), Decimal(size), tick)
        else:
            make = market_buy_amounts if side == "BUY" else market_sell_amounts
            amounts = make(Decimal(size), Decimal(price), tick)
        token_id = int(token or self.token)
        self.salt += 1
        order = Order(
            salt=self.salt,
            maker=self.address,
            signer=self.address,
            token_id=token_id,
            maker_amount=amounts.maker,
            taker_amount=amounts.taker,
            side=side,
            signature_type=0,
            timestamp_ms=1,
        )
        exchange = exchange_of(CHAIN, negative_risk=self.market["negRisk"], token_id=token_id)
        order_hash, signature = self.signer.sign_order(order, exchange)
        return order_hash, encode_post(order, signature, owner=self.creds.key, order_type=order_type)

    async def buy(self, price, size, **more):
        return await self.call("POST", "/order", self.order(price, size, **more)[1])

    async def sell(self, price, size, **more):
        return await self.call("POST", "/order", self.order(price, size, side="SELL", **more)[1])

    async def cancel(self, order_id):
        return await self.call("DELETE", "/order", json.dumps({"orderID": order_id}).encode())

    async def seen(self):
        return (await self.venue.http.get(f"{self.venue.urls.control_url}/accounts/{self.address}")).json()

    async def book(self, bids=(), asks=()):
        return await self.venue.control(
            "/book",
            {"token_id": self.token, "bids": [list(each) for each in bids], "asks": [list(each) for each in asks]},
        )


@asynccontextmanager
async def trading(clock=None, **options):
    async with running(clock, **options) as venue:
        markets = (await venue.gamma("/markets?limit=50")).json()
        market = next(each for each in markets if each["orderPriceMinTickSize"] == 0.01)
        trader = Trader(venue, market)
        await venue.control("/market", {"token_id": trader.token, "taker_delay": False})
        await trader.start()
        await trader.book()
        yield trader
