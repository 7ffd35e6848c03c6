"""`python -m tests.bench.signing_cost`: time of one order's hash and signature, ours beside both official clients.

In turn, round after round, so that a slow moment slows all three; each signs what the others sign. Prints JSON, ms.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from eth_account import Account
from polymarket._internal.actions.orders.typed_data import build_order_signature, build_order_typed_data
from polymarket._internal.actions.orders.types import UnsignedOrder
from py_clob_client_v2.order_utils import ExchangeOrderBuilderV2, SignatureTypeV2
from py_clob_client_v2.order_utils import Side as ClientSide
from py_clob_client_v2.order_utils.model.order_data_v2 import OrderDataV2
from py_clob_client_v2.signer import Signer as ClientSigner

from engine.adapters.signer import Signer
from protocols.venue.order_typed_data import Order, exchange_of, keccak256

from .figures import median
from .frames import LEGS

ROUNDS, WARM = 300, 20
CHAIN_ID = 137
SECRET = keccak256(b"polycopy bench account")
SIGNER = Signer(SECRET)
EXCHANGE = exchange_of(CHAIN_ID, negative_risk=False, token_id=int(LEGS[0].token_id))
NOW_MS = 1_770_000_000_000


def ours(salt: int) -> str:
    """Signs by the engine's signer; the hash comes with it."""
    return SIGNER.sign_order(_order(salt), EXCHANGE)[1]


def py_clob_client_v2(salt: int) -> str:
    """Signs by the builder of py_clob_client_v2, with its own key object; its order has no hash yet."""
    order = _order(salt)
    data = OrderDataV2(
        maker=order.maker,
        tokenId=str(order.token_id),
        makerAmount=str(order.maker_amount),
        takerAmount=str(order.taker_amount),
        side=ClientSide.BUY,
        signer=order.signer,
        signatureType=SignatureTypeV2.EOA,
        timestamp=str(order.timestamp_ms),
    )
    _BUILDER.generate_salt = lambda: str(salt)
    return str(_BUILDER.build_signed_order(data).signature)


def polymarket(salt: int) -> str:
    """Signs as the secure client of polymarket-client does."""
    order = _order(salt)
    unsigned: Any = UnsignedOrder(
        chain_id=CHAIN_ID,
        builder=order.builder,
        exchange_address=EXCHANGE.address,
        expiration=0,
        maker=order.maker,
        maker_amount=order.maker_amount,
        metadata=order.metadata,
        order_type="FAK",
        salt=salt,
        side=order.side,
        signature_type=order.signature_type,
        signer=order.signer,
        taker_amount=order.taker_amount,
        timestamp=order.timestamp_ms,
        token_id=str(order.token_id),
    )
    signed = _ACCOUNT.sign_typed_data(full_message=build_order_typed_data(unsigned))
    return str(build_order_signature(unsigned, "0x" + signed.signature.hex()))


def _order(salt: int) -> Order:
    return Order(
        salt=salt,
        maker=SIGNER.address,
        signer=SIGNER.address,
        token_id=int(LEGS[salt % len(LEGS)].token_id),
        maker_amount=2_000_000,
        taker_amount=4_000_000,
        side="BUY",
        signature_type=0,
        timestamp_ms=NOW_MS + salt,
    )


_ACCOUNT = Account.from_key(SECRET)
_BUILDER = ExchangeOrderBuilderV2(EXCHANGE.address, CHAIN_ID, ClientSigner("0x" + SECRET.hex(), CHAIN_ID))
SIGNERS: dict[str, Callable[[int], str]] = {
    "ours": ours,
    "py_clob_client_v2": py_clob_client_v2,
    "polymarket": polymarket,
}


def main() -> None:
    """Measures once. Raises `AssertionError` when the three do not agree."""
    spent_ms: dict[str, list[float]] = {name: [] for name in SIGNERS}
    for salt in range(1, ROUNDS + WARM + 1):
        signatures = set()
        for name, sign in SIGNERS.items():
            began_ns = time.perf_counter_ns()
            signatures.add(sign(salt).lower().removeprefix("0x"))
            spent_ms[name].append((time.perf_counter_ns() - began_ns) / 1e6)
        assert len(signatures) == 1, signatures
    print(json.dumps({name: median(spent[WARM:]) for name, spent in spent_ms.items()}))


if __name__ == "__main__":
    main()
