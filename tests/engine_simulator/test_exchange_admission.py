import json
from decimal import Decimal

import attrs
import pytest
from exchange_world import NO, START_MS, ExchangeWorld

from engine.simulator.exchange.admission import ORDER
from engine.simulator.exchange.exchange import Exchange
from engine.simulator.exchange.trading_api import TradingApi
from engine.simulator.market import MarketDirectory
from engine.simulator.seeds import generator
from protocols.venue.order_typed_data import ExchangeKind

D = Decimal


def sent(world, wallet, raw, path="/order"):
    return world.call(wallet.request("POST", path, raw))


def changed_body(world, wallet, *, inner=None, **outer):
    """A good order whose fields were changed after it was signed."""
    body = json.loads(world.body(wallet, "BUY", "0.50", "10"))
    body |= outer
    body["order"] |= inner or {}
    return json.dumps(body).encode()


def without_header(world, wallet, name):
    request = wallet.request("POST", "/order", world.body(wallet, "BUY", "0.50", "10"))
    headers = {key: value for key, value in request.headers.items() if key != name}
    return world.call(attrs.evolve(request, headers=headers))


def with_header(world, wallet, name, value):
    request = wallet.request("POST", "/order", world.body(wallet, "BUY", "0.50", "10"))
    return world.call(attrs.evolve(request, headers={**request.headers, name: value}))


def geoblocked(world, wallet):
    world.exchange.modes.geoblocked = True
    return without_header(world, wallet, "poly_address")


def close_only_region(world, wallet):
    world.exchange.modes.close_only = True
    assert world.post(wallet, "SELL", "0.50", "10").status == 200
    return world.post(wallet, "BUY", "0.40", "10")


def banned(world, wallet):
    world.exchange.accounts.get(wallet.funder).banned = True
    return world.post(wallet, "BUY", "0.50", "10")


def closing_account(world, wallet):
    world.exchange.accounts.get(wallet.funder).closed_only = True
    assert world.post(wallet, "SELL", "0.50", "10").status == 200
    return world.post(wallet, "BUY", "0.40", "10")


def signed_by_another(world, wallet):
    other = world.wallet("other")
    raw = world.body(
        attrs.evolve(other, creds=wallet.creds), "BUY", "0.50", "10", maker=wallet.funder, signer=wallet.funder
    )
    return sent(world, wallet, raw)


def signed_for_the_other_exchange(world, wallet):
    raw = world.body(wallet, "BUY", "0.50", "10")
    world.market.negative_risk = True
    return sent(world, wallet, raw)


def duplicate(world, wallet):
    raw = world.body(wallet, "BUY", "0.50", "10")
    assert sent(world, wallet, raw).status == 200
    reply = sent(world, wallet, raw)
    assert sum(world.exchange.orders.posts.values()) == 2
    return reply


def no_allowance(world, wallet):
    world.exchange.accounts.get(wallet.funder).approved = frozenset({ExchangeKind.NEG_RISK})
    return world.post(wallet, "BUY", "0.50", "10")


def cancel_only(world, wallet):
    world.exchange.modes.cancel_only = True
    return world.post(wallet, "BUY", "0.50", "10")


def restarting(world, wallet):
    world.exchange.modes.restart(79, world.now_ms)
    return world.post(wallet, "BUY", "0.50", "10", post_only=True)


def after_a_restart(world, wallet):
    world.exchange.modes.restart(1, world.now_ms)
    world.advance(1_000)
    assert world.post(wallet, "BUY", "0.50", "10", post_only=True).status == 200
    return world.post(wallet, "BUY", "0.50", "10")


def too_fast(world, wallet):
    for _ in range(60):
        assert world.post(wallet, "BUY", "0.01", "5").status == 200
    return world.post(wallet, "BUY", "0.01", "5")


def crossing_post_only(world, wallet):
    world.book({}, {"0.50": "10"})
    return world.post(wallet, "BUY", "0.50", "10", post_only=True)


def small_marketable(world, wallet):
    world.book({}, {"0.10": "10"})
    return world.post(wallet, "BUY", "0.17", "5")


def closed_market(world, wallet):
    world.market.close(world.now_ms)
    return world.post(wallet, "BUY", "0.50", "10")


def batch_of_16(world, wallet):
    raw = b"[" + b",".join(world.body(wallet, "BUY", "0.50", "10") for _ in range(16)) + b"]"
    return sent(world, wallet, raw, "/orders")


KEY = "00000000-0000-0000-0000-000000000000"
CASES = {
    "region": (geoblocked, 403, "Trading restricted in your region"),
    "region where one may close": (close_only_region, 403, "Trading restricted in your region"),
    "no address": (lambda w, a: without_header(w, a, "poly_address"), 401, "missing address header"),
    "no key": (lambda w, a: without_header(w, a, "poly_api_key"), 401, "Unauthorized/Invalid api key"),
    "passphrase": (lambda w, a: with_header(w, a, "poly_passphrase", "x"), 401, "Unauthorized/Invalid api key"),
    "hmac": (lambda w, a: with_header(w, a, "poly_signature", "é"), 401, "Unauthorized/Invalid api key"),
    "time": (lambda w, a: with_header(w, a, "poly_timestamp", "1"), 401, "Unauthorized/Invalid api key"),
    "address": (lambda w, a: with_header(w, a, "poly_address", NO), 401, "Unauthorized/Invalid api key"),
    "owner": (
        lambda w, a: sent(w, a, changed_body(w, a, owner=KEY)),
        400,
        "the order owner has to be the owner of the API KEY",
    ),
    "signer": (
        lambda w, a: w.post(a, "BUY", "0.50", "10", signer="0x" + "22" * 20),
        400,
        "the order signer address has to be the address of the API KEY",
    ),
    "maker of an EOA": (
        lambda w, a: w.post(a, "BUY", "0.50", "10", maker="0x" + "22" * 20),
        400,
        "the order signer address has to be the address of the API KEY",
    ),
    "banned": (banned, 400, "address banned"),
    "closed only": (closing_account, 400, "address in closed only mode"),
    "no json": (lambda w, a: sent(w, a, b"{"), 400, "Invalid order payload"),
    "empty batch": (lambda w, a: sent(w, a, b"[]", "/orders"), 400, "Invalid order payload"),
    "batch that is none": (lambda w, a: sent(w, a, b"{}", "/orders"), 400, "Invalid order payload"),
    "salt as text": (lambda w, a: sent(w, a, changed_body(w, a, inner={"salt": "1"})), 400, "Invalid order payload"),
    "big salt": (lambda w, a: sent(w, a, changed_body(w, a, inner={"salt": 2**53})), 400, "Invalid order payload"),
    "side": (lambda w, a: sent(w, a, changed_body(w, a, inner={"side": 0})), 400, "Invalid order payload"),
    "amount": (lambda w, a: sent(w, a, changed_body(w, a, inner={"makerAmount": 5})), 400, "Invalid order payload"),
    "no amount": (
        lambda w, a: sent(w, a, changed_body(w, a, inner={"makerAmount": "0"})),
        400,
        "Invalid order payload",
    ),
    "order type": (lambda w, a: sent(w, a, changed_body(w, a, orderType="IOC")), 400, "Invalid order payload"),
    "post-only FAK": (
        lambda w, a: sent(w, a, changed_body(w, a, orderType="FAK", postOnly=True)),
        400,
        "Invalid order payload",
    ),
    "sixteen": (batch_of_16, 400, "Too many orders in payload: 16, max allowed: 15"),
    "token": (lambda w, a: w.post(a, "BUY", "0.50", "10", token="77" * 30), 404, "No orderbook exists"),
    "closed": (closed_market, 400, "the market is not yet ready to process new orders"),
    "changed amount": (
        lambda w, a: sent(w, a, changed_body(w, a, inner={"makerAmount": "4500000"})),
        400,
        "invalid signature",
    ),
    "signature of another": (signed_by_another, 400, "invalid signature"),
    "no signature": (lambda w, a: sent(w, a, changed_body(w, a, inner={"signature": "0x"})), 400, "invalid signature"),
    "curve": (
        lambda w, a: sent(w, a, changed_body(w, a, inner={"signature": "0x" + "ff" * 65})),
        400,
        "invalid signature",
    ),
    "exchange": (signed_for_the_other_exchange, 400, "invalid signature"),
    "GTC expires": (lambda w, a: w.post(a, "BUY", "0.50", "10", expiration_s=9), 400, "invalid expiration"),
    "GTD soon": (
        lambda w, a: w.post(a, "BUY", "0.50", "10", order_type="GTD", expiration_s=START_MS // 1000 + 179),
        400,
        "invalid expiration",
    ),
    "limit precision": (
        lambda w, a: w.post(a, "BUY", "0.50", "10", amounts=(5_000_500, 10_001_000)),
        400,
        "invalid amounts, the buy orders maker amount supports a max accuracy of 4 decimals, taker amount a max of 2 "
        "decimals",
    ),
    "limit precision of a SELL": (
        lambda w, a: w.post(a, "SELL", "0.50", "10", amounts=(10_001_000, 5_000_500)),
        400,
        "invalid amounts, the sell orders maker amount supports a max accuracy of 2 decimals, taker amount a max of 4 "
        "decimals",
    ),
    "market precision": (
        lambda w, a: w.post(a, "BUY", "0.50", "10", order_type="FAK", amounts=(5_005_000, 10_010_000)),
        400,
        "the market buy orders maker amount supports a max accuracy of 2 decimals, taker amount a max of 4 decimals",
    ),
    "tick": (
        lambda w, a: w.post(a, "BUY", "0.50", "10", amounts=(5_050_000, 10_000_000)),
        400,
        "Price (0.505) breaks minimum tick size rule: 0.01",
    ),
    "tick of a market order": (
        lambda w, a: w.post(a, "BUY", "0.50", "10", order_type="FOK", amounts=(5_050_000, 10_000_000)),
        400,
        "Price (0.505) breaks minimum tick size rule: 0.01",
    ),
    "price above one": (
        lambda w, a: w.post(a, "BUY", "0.50", "10", amounts=(100_000_000, 10_000_000)),
        400,
        "Price (10) breaks minimum tick size rule: 0.01",
    ),
    "size": (lambda w, a: w.post(a, "BUY", "0.50", "1.73"), 400, "Size (1.73) lower than the minimum: 5"),
    "dollar": (
        lambda w, a: w.post(a, "BUY", "0.50", "0.17", order_type="FAK"),
        400,
        "invalid amount for a marketable BUY order ($0.17), min size: $1",
    ),
    "dollar of a GTC that takes": (
        small_marketable,
        400,
        "invalid amount for a marketable BUY order ($0.85), min size: $1",
    ),
    "duplicate": (duplicate, 400, "is invalid. Duplicated."),
    "balance": (lambda w, a: w.post(a, "BUY", "0.50", "2000.02"), 400, "not enough balance / allowance"),
    "shares": (lambda w, a: w.post(a, "SELL", "0.50", "100.01"), 400, "not enough balance / allowance"),
    "allowance": (no_allowance, 400, "allowance is not enough"),
    "restarting": (restarting, 425, "matching engine is restarting"),
    "post-only mode": (after_a_restart, 503, "post-only mode: only post-only orders and cancels are allowed"),
    "cancel-only": (cancel_only, 503, "Trading is currently cancel-only."),
    "bucket": (too_fast, 429, "rate limited"),
    "post-only": (crossing_post_only, 400, "invalid post-only order: order crosses book"),
}


@pytest.mark.parametrize("name", CASES)
def test_each_reason_to_refuse_has_the_venues_status_and_text(name):
    act, status, text = CASES[name]
    world = ExchangeWorld()
    wallet = world.wallet("one", usd=1_000, yes=100)
    reply = act(world, wallet)
    assert (reply.status, text in reply.body["error"]) == (status, True), reply.body
    assert next(iter(reply.body)) == "error"
    assert world.exchange.clearing.escrow_micro == 0


def test_a_refusal_that_passes_says_when_to_come_back():
    world = ExchangeWorld()
    wallet = world.wallet("one")
    assert restarting(world, wallet).body["retry_after_seconds"] == 79
    world = ExchangeWorld()
    reply = after_a_restart(world, world.wallet("one"))
    assert (reply.body["code"], reply.body["retry_after_seconds"]) == ("post_only_mode", 120)
    assert reply.headers["Retry-After"] == "120"


def test_the_first_check_in_the_order_answers_and_the_order_is_data():
    world = ExchangeWorld()
    wallet = world.wallet("one")
    world.exchange.modes.cancel_only = True
    raw = changed_body(world, wallet, owner=KEY)
    assert sent(world, wallet, raw).body["error"].startswith("the order owner")
    modes_first = ("modes", *(name for name in ORDER if name != "modes"))
    exchange = Exchange(world.markets, seed=1, rng=generator(1, "x"), admission_order=modes_first)
    exchange.modes.cancel_only = True
    handling = TradingApi(exchange).handle(wallet.request("POST", "/order", raw), START_MS)
    assert handling.reply().status == 503
    with pytest.raises(ValueError, match="each of these once"):
        Exchange(MarketDirectory(), seed=1, rng=generator(1, "x"), admission_order=ORDER[1:])
