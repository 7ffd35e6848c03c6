"""What copying a trader would have made: as the daily job found, or at somebody's own size, computed when it is asked."""

import re
from decimal import Decimal

import attrs

from engine.api.errors import ApiError, not_found
from engine.api.params import Param, pattern, whole
from engine.api.route import ApiRoute, Call
from engine.api.trader_routes import UNKNOWN, unknown_trader
from engine.copyability.desk import CopyabilityDesk
from protocols.copyability import (
    DAYS_DEFAULT,
    DAYS_MAX,
    SIZE_USD_DEFAULT,
    SIZE_USD_MAX,
    SIZE_USD_MIN,
    Copyability,
)
from protocols.errors import RejectedError
from protocols.traders import TraderReports
from protocols.users import Scope


@attrs.define(eq=False)
class _Handlers:
    desk: CopyabilityDesk
    reports: TraderReports

    async def one(self, call: Call) -> Copyability:
        wallet, size, days = (call.params[name] for name in ("wallet", "size", "days"))
        if size is None and days is None:
            kept = await self.desk.kept(wallet)
            if kept is not None:
                return kept
            await self._check_known(wallet)
            raise not_found("not_scored", "the daily job has not looked at this trader; with size it is computed now")
        await self._check_known(wallet)
        try:
            return await self.desk.at_size(wallet, size or SIZE_USD_DEFAULT, days or DAYS_DEFAULT)
        except RejectedError as error:
            raise ApiError(422, "not_computed", str(error)) from None

    async def _check_known(self, wallet: str) -> None:
        if not await self.reports.is_known(wallet):
            raise unknown_trader()


def copyability_routes(desk: CopyabilityDesk, reports: TraderReports) -> list[ApiRoute]:
    """Returns the route."""
    handlers = _Handlers(desk, reports)
    return [
        ApiRoute(
            method="GET",
            path="/api/traders/{wallet}/copyability",
            handler=handlers.one,
            scope=Scope.READ,
            summary="What copying him would have made after delay, spread, thin books and fees, and how sure that is: as the "
            "daily job found, or with size or days computed now, which takes seconds",
            answer=Copyability,
            params=(
                pattern("wallet", "wallet of the trader", "0[xX][0-9a-fA-F]{40}", allowed="0x and 40 hex digits",
                        lower=True, in_path=True),
                _size(),
                whole("days", f"trades of the last so many days; {DAYS_DEFAULT} with size alone", at_least=1, at_most=DAYS_MAX),
            ),
            refusals={**UNKNOWN, 422: "it took too long, or too much memory"},
        )
    ]  # fmt: skip


def _size() -> Param:
    allowed = f"an amount in USD from {SIZE_USD_MIN} to {SIZE_USD_MAX}, in cents"

    def parse(text: str) -> Decimal:
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,2})?", text, re.ASCII):
            raise ValueError(f"must be {allowed}")
        size = Decimal(text)
        if not SIZE_USD_MIN <= size <= SIZE_USD_MAX:
            raise ValueError(f"must be {allowed}")
        return size

    doc = f"USD that one would put into each copied trade; {SIZE_USD_DEFAULT} with days alone"
    schema = {"type": "number", "minimum": float(SIZE_USD_MIN), "maximum": float(SIZE_USD_MAX)}
    return Param(name="size", doc=doc, parse=parse, schema=schema)
