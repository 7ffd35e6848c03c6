"""Who signed an order (venue.md §4.2): plain ECDSA for types 0 to 2, the ERC-7739 wrapping for deposit wallets."""

import attrs

from engine.simulator.exchange.api_keys import recovered
from engine.simulator.exchange.payloads import OrderPayload
from protocols.venue.order_typed_data import (
    DEPOSIT_WALLET,
    Exchange,
    order_hash,
    signing_digest,
    wire_signature,
)

_PLAIN_BYTES = 65


@attrs.frozen
class Signed:
    """The id of an order and the key that signed it."""

    order_id: str
    """Lower case."""
    key_address: str | None
    """Lower case; None: the signature is none."""


def read_signature(payload: OrderPayload, exchange: Exchange) -> Signed:
    """Returns the order's id and who signed it for this exchange; someone else, when it was for another one."""
    order = payload.order
    order_id = "0x" + order_hash(order, exchange).hex()
    signature = payload.signature
    plain = signature[: 2 + 2 * _PLAIN_BYTES]
    if order.signature_type == DEPOSIT_WALLET:
        # What follows the 65 bytes has to be exactly what the wallet contract checks them with.
        try:
            rebuilt = wire_signature(bytes.fromhex(plain.removeprefix("0x")), order, exchange)
        except ValueError:
            return Signed(order_id, None)
        if rebuilt != signature.lower():
            return Signed(order_id, None)
    elif len(signature) != len(plain):
        return Signed(order_id, None)
    return Signed(order_id, recovered(signing_digest(order, exchange), plain))
