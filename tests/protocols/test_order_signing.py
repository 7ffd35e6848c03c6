"""Order hashes and signatures against published vectors and both official clients."""

import copy
import json
import os
import pickle
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from polymarket._internal.actions.orders.typed_data import build_order_signature, build_order_typed_data
from polymarket._internal.actions.orders.types import UnsignedOrder
from py_clob_client_v2.order_utils.exchange_order_builder_v2 import ExchangeOrderBuilderV2
from py_clob_client_v2.order_utils.model.order_data_v2 import OrderV2
from py_clob_client_v2.signer import Signer as OracleSigner

from engine.adapters.signer import KeyFileError, Signer, read_key_file
from protocols.clock import Random
from protocols.errors import MalformedError
from protocols.venue.clob_auth import ApiCreds, l1_digest, l1_headers
from protocols.venue.order_typed_data import (
    DEPOSIT_WALLET,
    Exchange,
    ExchangeKind,
    Order,
    exchange_of,
    is_position_id,
    keccak256,
    order_hash,
)

SECRET = keccak256(b"polycopy test key")
SIGNER = Signer(SECRET)


@pytest.fixture(scope="module")
def vectors(recorded) -> dict[str, Any]:
    return json.loads((recorded / "payloads" / "signing-vectors.json").read_text())


def order_of(fields: dict[str, Any]) -> Order:
    side = fields["side"] if isinstance(fields["side"], str) else ("BUY", "SELL")[fields["side"]]
    return Order(
        salt=int(fields["salt"]), maker=fields["maker"], signer=fields["signer"], token_id=int(fields["tokenId"]),
        maker_amount=int(fields["makerAmount"]), taker_amount=int(fields["takerAmount"]), side=side,
        signature_type=fields["signatureType"], timestamp_ms=int(fields["timestamp"]), metadata=fields["metadata"],
        builder=fields["builder"],
    )  # fmt: skip


def test_every_vector_of_the_current_exchanges(vectors):
    signer, seen = Signer(bytes.fromhex(vectors["private_key"][2:])), []
    assert signer.address == vectors["address"]
    for group in vectors.values():
        for vector in group if isinstance(group, list) else ():
            if not isinstance(vector.get("order"), dict) or "timestamp" not in vector["order"]:
                continue
            exchange = Exchange(
                kind=ExchangeKind.STANDARD, chain_id=vector["chainId"], address=vector["verifyingContract"],
                domain_version=vector["domainVersion"],
            )  # fmt: skip
            found_hash, signature = signer.sign_order(order_of(vector["order"]), exchange)
            assert (found_hash, signature) == (vector["orderHash"], vector["signature"]), vector["name"]
            seen.append(vector["name"])
    assert len(seen) >= 7


def test_the_published_l1_signature(vectors):
    [vector] = [one for one in vectors["published_vectors"] if one["name"] == "clob_auth_L1"]
    signer = Signer(bytes.fromhex(vectors["private_key"][2:]))
    digest = l1_digest(signer.address, int(vector["timestamp"]), vector["nonce"], vector["chainId"])
    assert "0x" + signer.sign_digest(digest).hex() == vector["signature"]
    headers = l1_headers(signer.address, vector["signature"], int(vector["timestamp"]), vector["nonce"])
    assert headers["POLY_NONCE"] == "23"


def test_the_published_l2_signature(vectors):
    [vector] = [one for one in vectors["published_vectors"] if one["name"] == "L2_hmac"]
    creds = ApiCreds("key", vector["secret"], "phrase")
    headers = creds.l2_headers("0x", vector["timestamp"], vector["method"], vector["path"], vector["body"].encode())
    assert headers["POLY_SIGNATURE"] == vector["signature"]


def random_order(rng: Random) -> tuple[Order, Exchange]:
    position = rng.random() < 0.3
    token_id = (rng.getrandbits(100) << 104 | rng.getrandbits(40)) if position else rng.getrandbits(256) | 1 << 60
    exchange = exchange_of(rng.choice((137, 80002)), negative_risk=rng.random() < 0.5, token_id=token_id)
    kind = rng.randrange(4)
    wallet = Signer(keccak256(rng.randbytes(8))).address
    maker = SIGNER.address if kind == 0 else wallet
    order = Order(
        salt=rng.randrange(2**53), maker=maker, signer=wallet if kind == DEPOSIT_WALLET else SIGNER.address,
        token_id=token_id, maker_amount=rng.randrange(1, 10**12), taker_amount=rng.randrange(1, 10**12),
        side=rng.choice(("BUY", "SELL")), signature_type=kind, timestamp_ms=rng.randrange(10**13),
        builder="0x" + rng.randbytes(32).hex() if rng.random() < 0.5 else "0x" + "00" * 32,
    )  # fmt: skip
    return order, exchange


def by_the_unified_client(order: Order, exchange: Exchange) -> tuple[str, str]:
    unsigned = UnsignedOrder(
        chain_id=exchange.chain_id, builder=order.builder, exchange_address=exchange.address, expiration=0,
        maker=order.maker, maker_amount=order.maker_amount, metadata=order.metadata, order_type="GTC", salt=order.salt,
        side=order.side, signature_type=order.signature_type, signer=order.signer, taker_amount=order.taker_amount,
        timestamp=order.timestamp_ms, token_id=str(order.token_id), protocol_version=exchange.domain_version,
    )  # fmt: skip
    message = encode_typed_data(full_message=build_order_typed_data(unsigned))
    signed = Account.sign_message(message, private_key=SECRET)
    wire = build_order_signature(unsigned, "0x" + signed.signature.hex())
    # A deposit wallet signs a wrapping; domain and hash of the plain order stand behind its signature.
    wrapped = order.signature_type == DEPOSIT_WALLET
    header, body = (
        (bytes.fromhex(wire[132:196]), bytes.fromhex(wire[196:260])) if wrapped else (message.header, message.body)
    )
    return "0x" + keccak256(b"\x19\x01" + header + body).hex(), wire


def by_the_older_client(order: Order, exchange: Exchange) -> str:
    builder = ExchangeOrderBuilderV2(
        exchange.address, exchange.chain_id, OracleSigner("0x" + SECRET.hex(), exchange.chain_id),
        domain_version=exchange.domain_version,
    )  # fmt: skip
    theirs = OrderV2(
        salt=str(order.salt), maker=order.maker, signer=order.signer, tokenId=str(order.token_id),
        makerAmount=str(order.maker_amount), takerAmount=str(order.taker_amount), side=int(order.side == "SELL"),
        signatureType=order.signature_type, timestamp=str(order.timestamp_ms), metadata=order.metadata,
        builder=order.builder,
    )  # fmt: skip
    return builder.build_order_signature(builder.build_order_typed_data(theirs))


def compared(count: int, seed: int) -> set[tuple[int, ExchangeKind]]:
    """Signs random orders three ways; returns the kinds of wallets and exchanges that came up."""
    rng, kinds = Random(seed), set()
    for _ in range(count):
        order, exchange = random_order(rng)
        signed = SIGNER.sign_order(order, exchange)
        assert signed == by_the_unified_client(order, exchange)
        assert signed[1] == by_the_older_client(order, exchange)
        kinds.add((order.signature_type, exchange.kind))
    return kinds


def test_random_orders_are_signed_as_both_official_clients_sign_them():
    assert len(compared(300, 1)) == 12, "every wallet type on every exchange"


@pytest.mark.slow
def test_ten_thousand_random_orders_are_signed_as_both_official_clients_sign_them():
    assert len(compared(10_000, 2)) == 12


def test_a_position_id_is_told_from_a_token_of_conditional_tokens():
    assert is_position_id(7 << 248 | 1)
    assert not is_position_id(2**200 + 2**50)
    assert exchange_of(137, negative_risk=True, token_id=7 << 248 | 1).kind is ExchangeKind.POSITIONS
    with pytest.raises(LookupError):
        exchange_of(1, negative_risk=False, token_id=5)


def test_another_field_is_another_hash():
    order, exchange = random_order(Random(5))
    changed = {order_hash(order, exchange)}
    for name, value in (("salt", 1), ("maker_amount", 7), ("side", "SELL" if order.side == "BUY" else "BUY")):
        fields = {field: getattr(order, field) for field in Order.__slots__ if not field.startswith("__")}
        changed.add(order_hash(Order(**{**fields, name: value}), exchange))
    assert len(changed) == 4


FORMS = (
    SECRET.hex(), SECRET.hex().upper(), "0x" + SECRET.hex(), str(int.from_bytes(SECRET, "big")), repr(SECRET)[2:-1],
)  # fmt: skip


def test_a_signer_shows_its_address_and_nothing_else():
    shown = [repr(SIGNER), str(SIGNER), f"{SIGNER}", f"{SIGNER!r:>80}", repr({"a": SIGNER}), repr(dir(SIGNER))]
    assert SIGNER.address in shown[0]
    assert not [form for form in FORMS for text in shown if form in text]
    assert not hasattr(SIGNER, "__dict__")
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(SIGNER)


def test_api_credentials_show_the_first_digits_of_their_key():
    creds = ApiCreds("0123456789abcdef", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "a phrase")
    assert repr(creds) == str(creds) == "<API credentials 01234567…>"
    with pytest.raises(TypeError):
        pickle.dumps(creds)
    with pytest.raises(MalformedError):
        ApiCreds("key", "not base64", "phrase")


@pytest.mark.parametrize("secret", ["-_-_", "+/+/", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="])
def test_the_socket_is_told_the_secret_as_the_venue_spelt_it(secret):
    creds = ApiCreds("key", secret, "phrase")
    assert creds.socket_auth() == {"apiKey": "key", "secret": secret, "passphrase": "phrase"}


@pytest.mark.parametrize("content", [SECRET.hex(), f"0x{SECRET.hex()}\n", f"  {SECRET.hex().upper()} "])
def test_a_key_file_is_read(tmp_path, content):
    path = tmp_path / "key"
    path.write_text(content)
    path.chmod(0o600)
    assert read_key_file(path).address == SIGNER.address


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (SECRET.hex(), 0o644, "others may read it"),
        (SECRET.hex(), 0o620, "others may read it"),
        (SECRET.hex()[:-1], 0o600, "not 64 hex digits"),
        (SECRET.hex() + "00", 0o600, "not 64 hex digits"),
        ("zz" * 32, 0o600, "not 64 hex digits"),
        ("00" * 32, 0o600, "not a number that the curve allows"),
        ("", 0o600, "not 64 hex digits"),
    ],
)
def test_a_key_file_that_is_not_used_says_why_and_never_what_is_in_it(tmp_path, content, mode, why):
    path = tmp_path / "key"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=why) as raised:
        read_key_file(path)
    assert not content or content[:20] not in str(raised.value)


def test_a_link_or_a_folder_is_no_key_file(tmp_path):
    path, link = tmp_path / "key", tmp_path / "link"
    path.write_text(SECRET.hex())
    path.chmod(0o600)
    link.symlink_to(path)
    with pytest.raises(KeyFileError, match="symbolic link"):
        read_key_file(link)
    with pytest.raises(KeyFileError, match="not a regular file"):
        read_key_file(tmp_path)
    with pytest.raises(KeyFileError, match="No such file"):
        read_key_file(tmp_path / "missing")


def test_a_pipe_is_no_key_file_and_nobody_waits_for_it(tmp_path):
    os.mkfifo(tmp_path / "key", 0o600)
    with pytest.raises(KeyFileError, match="not a regular file"):
        read_key_file(tmp_path / "key")
