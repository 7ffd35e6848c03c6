"""Who may sign for whom: credentials, wallets of every type, exchanges of every kind."""

import json

import attrs
import pytest
from exchange_world import NO, POSITION, YES, ExchangeWorld

from engine.adapters.signer import Signer
from protocols.venue.order_typed_data import Order, exchange_of, keccak256


def sent(world, wallet, raw):
    return world.call(wallet.request("POST", "/order", raw))


@pytest.mark.parametrize("signature_type", [0, 1, 2, 3])
@pytest.mark.parametrize(("tokens", "negative_risk"), [((YES, NO), False), ((YES, NO), True), ((POSITION, NO), False)])
def test_every_kind_of_wallet_trades_on_every_exchange(signature_type, tokens, negative_risk):
    world = ExchangeWorld(token_ids=tokens, negative_risk=negative_risk)
    wallet = world.wallet("one", signature_type=signature_type)
    reply = world.post(wallet, "BUY", "0.50", "10", token=tokens[0])
    assert reply.status == 200, reply.body
    account = world.exchange.accounts.get(wallet.funder)
    assert account.signer == wallet.signer.address.lower()


def test_an_order_for_the_other_version_of_the_exchange_is_told_apart():
    world = ExchangeWorld()
    wallet = world.wallet("one")
    body = json.loads(world.body(wallet, "BUY", "0.50", "10"))
    order = body["order"]
    signed = Order(
        salt=order["salt"],
        maker=order["maker"],
        signer=order["signer"],
        token_id=int(YES),
        maker_amount=int(order["makerAmount"]),
        taker_amount=int(order["takerAmount"]),
        side="BUY",
        signature_type=0,
        timestamp_ms=int(order["timestamp"]),
    )
    positions = exchange_of(137, negative_risk=False, token_id=int(POSITION))
    order["signature"] = wallet.signer.sign_order(signed, positions)[1]
    assert sent(world, wallet, json.dumps(body).encode()).body == {"error": "order_version_mismatch"}


@pytest.mark.parametrize("damage", ["tail", "contents", "key", "plain"])
def test_a_deposit_wallets_signature_must_be_wrapped_for_this_very_order(damage):
    world = ExchangeWorld()
    wallet = world.wallet("one", signature_type=3)
    body = json.loads(world.body(wallet, "BUY", "0.50", "10"))
    signature = body["order"]["signature"]
    body["order"]["signature"] = {
        "tail": signature[:-2] + "bb",
        "contents": signature[: 2 + 2 * 65] + "00" + signature[2 + 2 * 66 :],
        "key": "0x" + "11" * 64 + "1b" + signature[2 + 2 * 65 :],
        "plain": signature[: 2 + 2 * 65],
    }[damage]
    assert sent(world, wallet, json.dumps(body).encode()).body == {"error": "invalid signature"}


def test_a_wallet_trades_with_one_key_only():
    world = ExchangeWorld()
    wallet = world.wallet("one", signature_type=2, signer="0x" + "99" * 20)
    assert world.post(wallet, "BUY", "0.50", "10").body == {"error": "invalid signature"}


def test_credentials_are_the_same_for_a_nonce_and_others_for_another():
    world = ExchangeWorld()
    signer = Signer(keccak256(b"keys"))
    made = world.call(world.l1(signer, "POST", "/auth/api-key")).body
    assert world.call(world.l1(signer, "POST", "/auth/api-key")).status == 400
    assert world.call(world.l1(signer, "GET", "/auth/derive-api-key")).body == made
    assert world.call(world.l1(signer, "GET", "/auth/derive-api-key", nonce=1)).status == 400
    second = world.call(world.l1(signer, "POST", "/auth/api-key", nonce=1)).body
    assert second.keys() == made.keys()
    assert not set(second.values()) & set(made.values())
    bad = world.l1(signer, "POST", "/auth/api-key", nonce=2)
    reply = world.call(attrs.evolve(bad, headers={**bad.headers, "poly_nonce": "3"}))
    assert (reply.status, reply.body) == (401, {"error": "Invalid L1 Request headers"})
    known = world.exchange.keys.with_socket_auth(made)
    assert known is not None
    assert known.key == made["apiKey"]
    assert made["secret"] not in repr(known)
    assert world.exchange.keys.with_socket_auth({**made, "secret": second["secret"]}) is None


def test_a_deleted_key_opens_nothing():
    world = ExchangeWorld()
    wallet = world.wallet("one")
    assert world.call(wallet.request("GET", "/auth/api-keys")).body == {"apiKeys": [wallet.creds.key]}
    assert world.call(wallet.request("DELETE", "/auth/api-key")).status == 200
    assert world.call(wallet.request("GET", "/data/orders")).status == 401
