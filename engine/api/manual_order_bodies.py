"""What the routes of orders by hand take and answer. USD and USD a share."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec

from engine.api.route import Struct
from engine.api.text_fields import UUID_PATTERN, text_field
from protocols.live.operating import OrderView
from protocols.live.orders import OrderType, Side

# Their length bounds the number below: a decimal is exact, however long.
IntentId = Annotated[str, text_field("[A-Za-z0-9_-]{8,64}", "8 to 64 letters, digits, - and _")]
ConditionId = Annotated[
    str,
    text_field(
        "0x[0-9a-f]{62}(?:[0-9a-f]{2})?", "a condition id: 0x and 64 hex digits (62 of protocol V2), lower case"
    ),
]
TokenId = Annotated[str, text_field("[1-9][0-9]{0,77}", "a token id: a whole number of at most 78 digits")]
Account = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]

Wallet = Annotated[str, text_field("0x[0-9a-f]{40}", "a wallet: 0x and 40 hex digits, lower case")]

EXPIRES_S_MAX = 366 * 86_400


class WantedOrder(Struct):
    """An order. `amount` is shares; of a BUY with `inputMode` "usd" it is dollars."""

    order_intent_id: IntentId
    """Chosen by the client. The same one again gives the same order, whatever became of the first answer."""
    account: Account
    condition_id: ConditionId
    token_id: TokenId
    side: Side
    price: Decimal
    """The most that a BUY pays, the least that a SELL takes: 0.0001 to 0.9999, on a tick of the market."""
    amount: Decimal
    """0.01 to 1,000,000, at most six decimals."""
    order_type: OrderType = OrderType.FAK
    expires_in_s: Annotated[int, msgspec.Meta(ge=1, le=EXPIRES_S_MAX)] | None = None
    """Of GTD, and only of GTD: seconds from now; the venue needs at least 180."""
    input_mode: str = "shares"
    confirm: bool = False
    """Has to be true: this costs real money. A dry run needs none."""
    outcome: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    copied_trader: Wallet | None = None
    auto_close: bool = False
    """Of a BUY with `copiedTrader`: all that the account has of him in this token is sold when he closes his position."""
    auto_close_slippage_pct: Decimal = Decimal(2)
    """0 to 100: so far below the last price the first try may sell; each further one may go lower."""


class AutoClose(Struct):
    """A switch for what an account has of a trader in a token."""

    account: Account
    copied_trader: Wallet
    token_id: TokenId
    enabled: bool
    slippage_pct: Decimal = Decimal(2)
    """0 to 100."""


class AutoCloseAnswer(Struct):
    """What is sold when the copied trader closes his position."""

    account: str
    copied_trader: str
    token_id: str
    slippage_pct: Decimal
    armed_at: datetime


class AutoCloses(Struct):
    """All of one's own."""

    auto_closes: list[AutoCloseAnswer]


class CanceledOrder(Struct):
    """Which order of one's own is cancelled."""

    order_id: Annotated[str, text_field(UUID_PATTERN, "a uuid")]


class CanceledAccount(Struct):
    """Of which account all orders by hand are cancelled."""

    account: Account


class ManualOrderAnswer(Struct):
    """How an order stands."""

    order_id: str
    status: str
    """PLACED, PENDING, PARTIAL, FILLED, CANCELLED, LOST or REJECTED; `unknown` where `isKnown` is false; `dry_run`."""
    ended: bool
    is_known: bool
    """False: it was sent, and nobody knows yet whether the venue has it. Ask for its status; do not place another one."""
    order_hash: str | None
    limit_price: Decimal | None
    size_shares: Decimal | None
    lock_usd: Decimal | None
    filled_shares: Decimal
    filled_usd: Decimal
    reason: str | None
    detail: str | None


class ManualOrderList(Struct):
    """Orders by hand that have not ended."""

    orders: list[ManualOrderAnswer]


class Canceled(Struct):
    """What became of cancelling: by order id why one was not cancelled."""

    asked: int
    refused: dict[str, str]


def manual_answer(view: OrderView) -> ManualOrderAnswer:
    """Returns an order as it is answered."""
    return ManualOrderAnswer(
        order_id=view.order_id,
        status=view.status if view.is_known else "unknown",
        ended=view.ended,
        is_known=view.is_known,
        order_hash=view.order_hash,
        limit_price=view.limit_price,
        size_shares=view.size_shares,
        lock_usd=view.lock_usd,
        filled_shares=view.filled_shares,
        filled_usd=view.filled_usd,
        reason=view.reason,
        detail=view.detail,
    )
