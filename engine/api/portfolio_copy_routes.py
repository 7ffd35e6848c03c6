"""Copies that were made elsewhere: recorded, closed, forgotten. And what is looked up anew for all of one's copies."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import attrs
import msgspec

from actors.portfolio_desk import PortfolioDesk
from engine.api.errors import ApiError, bad_field, not_found
from engine.api.manual_order_bodies import ConditionId, TokenId
from engine.api.portfolio_access import REFUSALS, Access, copy_id_param, unknown_copy, user_param
from engine.api.portfolio_answers import usd
from engine.api.route import ApiRoute, Call, Rate, Struct
from engine.api.text_fields import text_field
from protocols.clock import WallClock
from protocols.errors import MalformedError, RejectedError
from protocols.live.orders import Side
from protocols.portfolio import CopiedFrom, CopyRecords, NewCopy
from protocols.timestamps import epoch_ms, utc_datetime
from protocols.trades import canonical_condition_id
from protocols.users import Scope

SHARES_MAX = Decimal(1_000_000_000)
AHEAD_MS = 60_000
"""So far may a clock of a client be ahead of ours."""
Wallet = Annotated[str, text_field("0x[0-9a-f]{40}", "a wallet: 0x and 40 hex digits, lower case")]
CopyId = Annotated[str, text_field("[A-Za-z0-9_.:-]{8,100}", "8 to 100 letters, digits and _ . : -")]
Moment = Annotated[str, msgspec.Meta(max_length=40)]


class WantedCopy(Struct):
    """A copy that was made elsewhere. Its market has to be stored: `POST /api/markets/ensure` sees to that."""

    condition_id: ConditionId
    side: Side
    price: Decimal
    """USD a share, 0 to 1, that was paid or got."""
    shares: Decimal
    """More than 0, at most six decimals."""
    token_id: TokenId | None = None
    """Or `outcome`: one of the two."""
    outcome: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    fee_usd: Decimal = Decimal(0)
    trader: Wallet | None = None
    """The copied wallet."""
    at: Moment | None = None
    """When, in ISO 8601 or seconds; now when it is left out."""
    order_id: CopyId | None = None
    """Chosen by the client: the same copy under the same id is recorded once."""


class RecordedAnswer(Struct):
    """A recorded copy."""

    order_id: str
    is_new: bool


class WantedClose(Struct):
    """At what price what is left was sold."""

    price: Decimal
    at: Moment | None = None


class ClosedAnswer(Struct):
    """How a copy was closed."""

    exit_price: Decimal
    changed: bool


class ForgottenAnswer(Struct):
    """A copy that is not there any more."""

    changed: bool


class RefreshedPrices(Struct):
    """What was looked up."""

    open_tokens: int
    quoted: int
    """Tokens with a price at most 3 s old."""
    changed: int
    """Prices that were newer than those kept."""


class HeldAnswer(Struct):
    """Whether a copied trader still holds what one copied from him."""

    trader: str
    token_id: str
    our_shares: Decimal
    still_holds: bool | None
    """Null: no snapshot of his positions is younger than the copy."""
    shares: Decimal | None
    checked_at: datetime | None
    closed_at: datetime | None
    closed_reason: str | None


class HeldPositions(Struct):
    """Of every copied trader, by what pollers saw last; the venue is not asked."""

    positions: list[HeldAnswer]


@attrs.define(eq=False)
class _Handlers:
    records: CopyRecords
    desk: PortfolioDesk
    access: Access
    clock: WallClock

    async def record(self, call: Call) -> RecordedAnswer:
        body = call.body
        if (body.token_id is None) == (body.outcome is None):
            raise bad_field("tokenId", "has to be given, or outcome: one of the two")
        copy = NewCopy(
            user_id=call.principal.user_id, record_id=body.order_id, trader=body.trader,
            condition_id=canonical_condition_id(body.condition_id),
            token_id=body.token_id, outcome=body.outcome, side=body.side.value, price=_price(body.price),
            shares=_amount("shares", body.shares), fee_usd=_amount("feeUsd", body.fee_usd, zero=True), at=self._at(body.at),
        )  # fmt: skip
        try:
            recorded = await self.records.record(copy)
        except RejectedError as error:
            raise ApiError(409, "copy_conflict", f"orderId {error}", "orderId") from None
        if recorded is None:
            raise not_found(
                "unknown_outcome", "no such market with such an outcome is stored; POST /api/markets/ensure first"
            )
        return RecordedAnswer(order_id=recorded.order_id, is_new=recorded.is_new)

    async def close(self, call: Call) -> ClosedAnswer:
        price, at = _price(call.body.price), self._at(call.body.at)
        closed = await self.records.close(call.principal.user_id, call.params["orderId"], price, at)
        if closed is None:
            raise unknown_copy()
        if not closed.changed and closed.exit_price != price:
            raise ApiError(409, "already_closed", f"it was closed at {closed.exit_price:f} before", "price")
        return ClosedAnswer(exit_price=price, changed=closed.changed)

    async def forget(self, call: Call) -> ForgottenAnswer:
        if not await self.records.remove(call.principal.user_id, call.params["orderId"]):
            raise unknown_copy()
        return ForgottenAnswer(changed=True)

    async def refresh(self, call: Call) -> RefreshedPrices:
        tokens, marks = await self.desk.fresh_marks(await self.access.query(call))
        changed = await self.records.mark(marks)
        return RefreshedPrices(open_tokens=tokens, quoted=len(marks), changed=changed)

    async def check(self, call: Call) -> HeldPositions:
        query = await self.access.query(call)
        portfolio = await attrs.evolve(self.desk, quotes=None).portfolio(query)
        ours, since = dict[tuple[str, str], int](), dict[tuple[str, str], int]()
        for position in (one.position for one in portfolio.valued):
            for trader, shares in position.open_by_trader().items():
                if trader is not None:
                    key = trader, position.token_id
                    ours[key] = ours.get(key, 0) + shares
                    since[key] = max(since.get(key, 0), position.last_us)
        pairs = [CopiedFrom(trader, token_id, at_us) for (trader, token_id), at_us in since.items()]
        rows = await self.records.held_by_traders(query.user_id, pairs)
        held = [HeldAnswer(**row, our_shares=usd(ours[row["trader"], row["token_id"]])) for row in rows]
        return HeldPositions(positions=held)

    def _at(self, text: str | None) -> datetime:
        now_ms = self.clock.now_ms()
        if text is None:
            return utc_datetime(now_ms)
        try:
            at_ms = epoch_ms(text)
        except MalformedError:
            raise bad_field("at", "must be a time in ISO 8601 or seconds since the epoch, from 2019 on") from None
        if at_ms > now_ms + AHEAD_MS:
            raise bad_field("at", "lies in the future")
        return utc_datetime(at_ms)


def _price(price: Decimal) -> Decimal:
    if not price.is_finite() or not 0 <= price <= 1 or price != round(price, 18):
        raise bad_field("price", "must be USD a share, 0 to 1, with at most 18 decimals")
    return price


def _amount(name: str, amount: Decimal, *, zero: bool = False) -> Decimal:
    is_amount = amount.is_finite() and 0 <= amount <= SHARES_MAX and (zero or amount > 0)
    if not is_amount or amount != round(amount, 6):
        raise bad_field(name, f"must be {'0 or ' if zero else ''}more than 0, with at most six decimals")
    return amount


def portfolio_copy_routes(
    records: CopyRecords, desk: PortfolioDesk, access: Access, clock: WallClock
) -> list[ApiRoute]:
    """Returns the routes that change what is kept of copies. One's own only, but for what is looked up anew."""
    handlers = _Handlers(records, desk, access, clock)
    path, unknown = "/api/portfolio", {404: "there is no such recorded copy of the caller's"}
    change: dict[str, Any] = {"scope": Scope.READ, "rate": Rate.CHANGE}
    return [
        ApiRoute(method="POST", path=path + "/orders", handler=handlers.record, answer=RecordedAnswer, body=WantedCopy,
                 summary="Records a copy that was made elsewhere", **change,
                 refusals={404: "no such market with such an outcome is stored", 409: "the id is another copy's"}),
        ApiRoute(method="POST", path=path + "/orders/{orderId}/close", handler=handlers.close, answer=ClosedAnswer,
                 body=WantedClose, params=(copy_id_param(),), summary="Says at what price the rest of a purchase was sold",
                 refusals={**unknown, 409: "it was closed at another price before"}, **change),
        ApiRoute(method="DELETE", path=path + "/orders/{orderId}", handler=handlers.forget, answer=ForgottenAnswer,
                 params=(copy_id_param(),), summary="Forgets a recorded copy", refusals=unknown, **change),
        ApiRoute(method="POST", path=path + "/refresh-prices", handler=handlers.refresh, answer=RefreshedPrices,
                 params=(user_param(),), refusals=REFUSALS,
                 summary="Asks for prices of everything open and keeps them", **change),
        ApiRoute(method="POST", path=path + "/check-positions", handler=handlers.check, answer=HeldPositions,
                 params=(user_param(),), refusals=REFUSALS,
                 summary="Whether copied traders still hold what was copied from them, as pollers saw last", **change),
    ]  # fmt: skip
