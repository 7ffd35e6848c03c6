"""Makes signed orders of one account: the only thing outside the signer that gets at its key."""

from collections.abc import Callable

import attrs

from engine.adapters.signer import Signer
from protocols.clock import Random
from protocols.errors import RejectedError
from protocols.live.orders import SignedOrder
from protocols.live.ports import OrderPlan
from protocols.venue.clob_orders import encode_post
from protocols.venue.order_typed_data import DEPOSIT_WALLET, Order, exchange_of

SALT_MAX = 2**53 - 1
"""It travels as a JSON number (venue.md §4.3)."""
EOA = 0
UINT256_MAX = 2**256 - 1


@attrs.define(eq=False, kw_only=True)
class AccountOrderMaker:
    """`OrderMaker` of one account (venue.md §4.2). Never signs a plan of another account."""

    account: str
    signer: Signer
    funder: str
    """The wallet that holds the funds; of signature type 0 the key's own address."""
    signature_type: int
    api_key: Callable[[], str]
    """Returns the owner of its orders. Raises `TransientError` while there is none."""
    chain_id: int
    rng: Random

    def __attrs_post_init__(self) -> None:
        if self.signature_type == EOA and self.funder.lower() != self.signer.address.lower():
            raise RejectedError("an account of signature type 0 holds its funds itself: its funder is its own address")

    def sign(self, plan: OrderPlan, now_ms: int) -> SignedOrder:
        """Returns the order, ready for the journal. Raises `RejectedError` for a plan that no exchange would take."""
        if plan.account != self.account:
            raise RejectedError(f"a plan of {plan.account} is not signed by {self.account}")
        token_id = _token_number(plan.intent.token_id)
        try:
            exchange = exchange_of(self.chain_id, negative_risk=plan.negative_risk, token_id=token_id)
        except LookupError as error:
            raise RejectedError(str(error)) from None
        order = Order(
            # 0 is a salt like any other, but looks like one that was forgotten.
            salt=self.rng.randint(1, SALT_MAX),
            maker=self.funder,
            signer=self.funder if self.signature_type == DEPOSIT_WALLET else self.signer.address,
            token_id=token_id,
            maker_amount=plan.maker_amount,
            taker_amount=plan.taker_amount,
            side=plan.side.value,
            signature_type=self.signature_type,
            timestamp_ms=now_ms,
        )
        order_hash, signature = self.signer.sign_order(order, exchange)
        body = encode_post(
            order,
            signature,
            owner=self.api_key(),
            order_type=plan.order_type.value,
            post_only=plan.intent.post_only,
            expiration_s=plan.expiration_s,
        )
        return SignedOrder(
            order_hash=order_hash,
            body=body,
            account=plan.account,
            order_type=plan.order_type,
            limit_price=plan.limit_price,
            size_shares=plan.size_shares,
            spend_usd=plan.spend_usd,
            lock_usd=plan.lock_usd,
            fee_rate=plan.fee_rate,
            fee_exponent=plan.fee_exponent,
            negative_risk=plan.negative_risk,
            signed_ms=now_ms,
        )


def _token_number(token_id: str) -> int:
    number = int(token_id) if token_id.isascii() and token_id.isdigit() else -1
    if not 0 < number <= UINT256_MAX:
        raise RejectedError(f"not a token: {token_id[:80]!r}")
    return number
