import json
from decimal import Decimal

import attrs
import coincurve
import msgspec
import pytest

from engine.adapters.order_maker import AccountOrderMaker
from engine.adapters.signer import Signer, checksummed
from protocols.clock import Random
from protocols.errors import RejectedError
from protocols.live.orders import LiveIntent, OrderType, Side
from protocols.live.ports import OrderPlan
from protocols.venue.order_typed_data import ExchangeKind, Order, exchange_of, keccak256, order_hash, signing_digest

SECRET = keccak256(b"a key for tests")
FUNDER = "0x" + "5" * 40
NOW_MS = 1_795_000_000_123
STANDARD, POSITION = str(7 << 200 | 3 << 60), str(1 << 248 | 5 << 110)


def plan(**changed):
    intent = LiveIntent(
        order_id="o", strategy_id="LT_A", cause="t", side=changed.pop("side", Side.BUY), condition_id="0x",
        token_id=changed.pop("token_id", STANDARD), signal_price=Decimal("0.5"), signal_ms=0, decided_ms=0,
        post_only=changed.pop("post_only", False),
    )  # fmt: skip
    fields = {
        "intent": intent, "account": "main", "order_type": OrderType.FAK, "limit_price": Decimal("0.52"),
        "maker_amount": 10_000_000, "taker_amount": 19_230_700, "size_shares": Decimal("19.2307"),
        "spend_usd": Decimal(10), "lock_usd": Decimal("10.5"), "fee_rate": Decimal("0.07"), "fee_exponent": 1,
        "negative_risk": False,
    }  # fmt: skip
    return OrderPlan(**fields | changed)


def maker(signature_type=0, **changed):
    signer = Signer(SECRET)
    funder = signer.address if signature_type == 0 else FUNDER
    fields = {
        "account": "main", "signer": signer, "funder": funder, "signature_type": signature_type, "api_key": lambda: "key-uuid",
        "chain_id": 137, "rng": Random(9),
    }  # fmt: skip
    return AccountOrderMaker(**fields | changed)


def order_in(body):
    fields = json.loads(body)["order"]
    return Order(
        salt=fields["salt"], maker=fields["maker"], signer=fields["signer"], token_id=int(fields["tokenId"]),
        maker_amount=int(fields["makerAmount"]), taker_amount=int(fields["takerAmount"]), side=fields["side"],
        signature_type=fields["signatureType"], timestamp_ms=int(fields["timestamp"]),
    ), fields["signature"]  # fmt: skip


def recovered(digest, signature):
    raw = bytes.fromhex(signature.removeprefix("0x"))[:65]
    key = coincurve.PublicKey.from_signature_and_message(raw[:64] + bytes([raw[64] - 27]), digest, hasher=None)
    return checksummed(keccak256(key.format(compressed=False)[1:])[-20:])


@pytest.mark.parametrize("signature_type", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("token_id", "negative_risk", "kind"),
    [
        (STANDARD, False, ExchangeKind.STANDARD),
        (STANDARD, True, ExchangeKind.NEG_RISK),
        (POSITION, False, ExchangeKind.POSITIONS),
        (POSITION, True, ExchangeKind.POSITIONS),
    ],
)
def test_what_travels_is_what_was_signed_for_the_exchange_that_trades_it(signature_type, token_id, negative_risk, kind):
    made = maker(signature_type)
    signed = made.sign(plan(token_id=token_id, negative_risk=negative_risk, side=Side.SELL), NOW_MS)
    order, signature = order_in(signed.body)
    exchange = exchange_of(137, negative_risk=negative_risk, token_id=int(token_id))
    assert exchange.kind is kind
    assert signed.order_hash == "0x" + order_hash(order, exchange).hex()
    assert recovered(signing_digest(order, exchange), signature) == made.signer.address
    assert order.maker == (made.signer.address if signature_type == 0 else FUNDER)
    assert order.signer == (FUNDER if signature_type == 3 else made.signer.address)
    assert (order.side, order.maker_amount, order.taker_amount) == ("SELL", 10_000_000, 19_230_700)
    assert order.timestamp_ms == NOW_MS


def test_the_journal_gets_all_that_the_plan_says_and_the_body_its_owner_type_and_expiration():
    wanted = plan(order_type=OrderType.GTD, post_only=True, expiration_s=1_795_000_600)
    signed = maker().sign(wanted, NOW_MS)
    body = json.loads(signed.body)
    assert (body["owner"], body["orderType"], body["postOnly"]) == ("key-uuid", "GTD", True)
    assert body["order"]["expiration"] == "1795000600"
    for name in ("account", "order_type", "limit_price", "size_shares", "spend_usd", "lock_usd", "fee_rate"):
        assert getattr(signed, name) == getattr(wanted, name)
    assert signed.signed_ms == NOW_MS


def test_no_two_orders_are_the_same_and_salts_fit_a_json_number():
    made = maker()
    signed = [made.sign(plan(), NOW_MS) for _ in range(300)]
    assert len({one.order_hash for one in signed}) == 300
    salts = [order_in(one.body)[0].salt for one in signed]
    assert all(0 < salt < 2**53 for salt in salts)
    assert max(salts) > 2**51


def test_what_no_exchange_would_take_is_refused():
    for wrong in (plan(account="other"), plan(token_id="12x"), plan(token_id="-1"), plan(token_id=str(2**256))):
        with pytest.raises(RejectedError):
            maker().sign(wrong, NOW_MS)
    with pytest.raises(RejectedError):
        maker(chain_id=1).sign(plan(), NOW_MS)
    with pytest.raises(RejectedError):
        maker(funder=FUNDER)


def test_neither_key_nor_credential_is_shown():
    made = maker()
    signed = made.sign(plan(), NOW_MS)
    shown = repr(made) + repr(attrs.asdict(plan(), recurse=False)) + msgspec.json.encode(signed).decode()
    assert SECRET.hex() not in shown
    assert "key-uuid" not in repr(made)
