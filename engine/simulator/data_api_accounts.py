"""Data API v2: what accounts hold and how they rank (venue.md §5.1)."""

from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.simulator.account_feed import AccountFeed
from engine.simulator.data_api_v2 import answering_errors
from engine.simulator.data_requests import (
    DataApiError,
    Parameters,
    cached_response,
    error_response,
    json_response,
)
from engine.simulator.list_pages import ListPages
from engine.simulator.position_rows import position_v2, value_rows
from engine.simulator.positions import DUST_MICRO, Position
from engine.simulator.rankings import PERIODS_S, Rankings, Standing
from engine.simulator.response_cache import ResponseCache
from engine.simulator.seeds import hash_hex
from engine.simulator.wire_numbers import MICRO, micro_from
from protocols.clock import Random

_STATUSES = ("OPEN", "REDEEMABLE", "REDEEMABLE_LOST", "MERGEABLE", "CLOSED")
SORTS: dict[str, Callable[[Position], int]] = {
    "CURRENT_VALUE": lambda position: position.value_micro,
    "PRICE": lambda position: int(position.price * MICRO),
    "TOKENS": lambda position: position.size_micro,
    "UNREALIZED_PNL": lambda position: position.unrealized_micro,
    "REALIZED_PNL": lambda position: position.realized_micro,
    "TOTAL_PNL": lambda position: position.unrealized_micro + position.realized_micro,
    "TIMESTAMP": lambda position: position.last_event_s,
}


class DataApiAccounts:
    """Positions, values and the leaderboard."""

    def __init__(
        self, accounts: AccountFeed, rankings: Rankings, cache: ResponseCache, pages: ListPages, *, rng: Random
    ) -> None:
        self._accounts = accounts
        self._rankings = rankings
        self._cache = cache
        self._pages = pages
        self._rng = rng

    def routes(self) -> list[Route]:
        """Returns the endpoints of this part."""
        return [
            Route("/v2/positions", answering_errors(self._rng, self._positions)),
            Route("/v2/value", answering_errors(self._rng, self._value)),
            Route("/v2/leaderboard", self._leaderboard),
        ]

    def _positions(self, request: Request) -> Response:
        return cached_response(request, self._cache, lambda: self._positions_page(Parameters(request)))

    def _value(self, request: Request) -> Response:
        wallet = Parameters(request).required_address("user")
        return json_response({"data": value_rows(wallet, self._accounts.positions(wallet))})

    def _positions_page(self, parameters: Parameters) -> dict[str, Any]:
        found = self._wanted(parameters, self._selected(parameters))
        sort_by = parameters.choice("sort_by", *SORTS) or "CURRENT_VALUE"
        descending = parameters.choice("sort_direction", "ASC", "DESC") != "ASC"
        return self._pages.page(
            "positions",
            parameters,
            found,
            order=SORTS[sort_by],
            identity=lambda position: f"{position.wallet}:{position.market.token_ids[position.outcome_index]}",
            render=lambda _, position: position_v2(position),
            descending=descending,
        )

    def _selected(self, parameters: Parameters) -> list[Position]:
        wallet = parameters.address("user")
        conditions = parameters.conditions("condition_id")
        if wallet is not None:
            positions = self._accounts.positions(wallet)
            return [each for each in positions if not conditions or each.market.condition_id in conditions]
        if len(conditions) != 1:
            raise DataApiError(400, "missing_parameter", "either 'user' or one 'condition_id' is required", "user")
        return self._accounts.positions_in(next(iter(conditions)))

    def _wanted(self, parameters: Parameters, positions: list[Position]) -> list[Position]:
        status = parameters.choice("status", *_STATUSES)
        start, end = parameters.optional_whole("start"), parameters.optional_whole("end")
        positions = [
            position
            for position in positions
            if (start is None or position.last_event_s >= start) and (end is None or position.last_event_s <= end)
        ]
        filter_type = parameters.choice("filter_type", "CASH", "TOKENS") or "TOKENS"
        amount = parameters.amount("filter_amount")
        # By default holdings below a tenth of a share are hidden.
        least = micro_from(amount) if amount is not None else DUST_MICRO
        if status == "CLOSED":
            return [position for position in positions if position.status == "CLOSED"]
        if status == "MERGEABLE":
            positions = [position for position in positions if position.mergeable]
        elif status is not None:
            positions = [position for position in positions if position.status == status]
        if filter_type == "CASH":
            return [position for position in positions if position.size_micro and position.value_micro >= least]
        return [position for position in positions if position.size_micro >= max(least, 1)]

    async def _leaderboard(self, request: Request) -> Response:
        try:
            return json_response(await self._leaderboard_page(Parameters(request)))
        except DataApiError as error:
            return error_response(error, hash_hex(self._rng, 128)[2:])

    async def _leaderboard_page(self, parameters: Parameters) -> dict[str, Any]:
        period = parameters.choice("time_period", *PERIODS_S) or "DAY"
        sort_by = parameters.choice("sort_by", "PNL", "VOLUME") or "PNL"
        category = (parameters.text("category") or "OVERALL").upper()
        standings = await self._rankings.standings(period, category)
        wallet = parameters.address("user")
        if wallet is not None:
            return {"data": own_standing(standings, wallet)}
        order = by_volume if sort_by == "VOLUME" else by_pnl
        cut = partial(self._pages.page, "leaderboard", parameters, standings)
        return cut(order=order, identity=lambda standing: standing.wallet, render=standing_v2)


def by_pnl(standing: Standing) -> int:
    """Sorts by profit."""
    return standing.pnl_micro


def by_volume(standing: Standing) -> int:
    """Sorts by shares traded."""
    return standing.volume_micro


def by_dollars(standing: Standing) -> int:
    """Sorts by dollars traded, as v1 does."""
    return standing.volume_usd_micro


def standing_v2(rank: int, standing: Standing) -> dict[str, object]:
    """Returns a row of `/v2/leaderboard`; the rank is a number here."""
    return {
        "rank": rank,
        "user_id": standing.wallet,
        "pnl": standing.pnl_micro / MICRO,
        "volume": standing.volume_micro / MICRO,
        "user_name": standing.profile.name,
        "profile_image": standing.profile.profile_image,
        "x_username": "",
        "verified": False,
    }


def own_standing(standings: list[Standing], wallet: str) -> dict[str, object] | None:
    """Returns one wallet's row with both of its ranks, or None when it has not traded."""
    own = next((standing for standing in standings if standing.wallet == wallet), None)
    if own is None:
        return None
    row = standing_v2(0, own)
    del row["rank"]
    row["rank_pnl"] = 1 + sum(standing.pnl_micro > own.pnl_micro for standing in standings)
    row["rank_volume"] = 1 + sum(standing.volume_micro > own.volume_micro for standing in standings)
    return row
