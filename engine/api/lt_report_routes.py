"""What is looked at of live trading: orders, positions, obligations to sell, what can be redeemed, logs, how it stands."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs

from actors.rules.feed_cursor import cursor_text
from engine.api.ft_access import limit_param, moment_param
from engine.api.ft_order_routes import EPOCH, MICROSECOND, order_cursor
from engine.api.lt_access import REFUSALS, owner_filter, strategy_id_param, unknown_strategy
from engine.api.lt_report_bodies import (
    AccountStanding,
    ExitAnswer,
    Exits,
    HaltAnswer,
    LiveOrderAnswer,
    LiveOrderPage,
    LiveStatus,
    LiveSwitches,
    LogLineAnswer,
    LogPage,
    PositionAnswer,
    Positions,
    Redeemable,
    RedeemableAnswer,
    answer_of,
    answers_of,
)
from engine.api.params import Param, choice, pattern, whole
from engine.api.route import ApiRoute, Call
from engine.api.text_fields import UUID_PATTERN
from protocols.feed import FeedPosition
from protocols.live.operating import LiveReports, Row
from protocols.live.orders import OrderStatus
from protocols.timestamps import utc_datetime
from protocols.users import Scope

ID_ALLOWED = "1 to 300 letters, digits and _ . : -"
TEXT_CHARS_MAX = 100
_TEXT_SCHEMA = {"type": "string", "minLength": 1, "maxLength": TEXT_CHARS_MAX}
PREFIXES = ("POLL", "TRADE", "CASH", "ERROR", "SELL", "FILTER")
"""Beginnings of messages that people filter by (domain.md §4.11)."""


@attrs.define(eq=False)
class _Handlers:
    reports: LiveReports
    accounts: Mapping[str, str]
    is_trading: Callable[[], bool]
    paused_s: Callable[[str], float | None]
    switches: LiveSwitches

    async def orders(self, call: Call) -> LiveOrderPage:
        limit, cursor = call.params["limit"], call.params["cursor"]
        strategy_id = call.params["strategyId"]
        if strategy_id is not None:
            await self._known(call, strategy_id)
        rows = await self.reports.orders(
            strategy_id=strategy_id,
            status=call.params["status"],
            ended=None if call.params["state"] is None else call.params["state"] == "ended",
            user_id=owner_filter(call),
            before=before_of(cursor),
            rows_max=limit + 1,
        )
        return order_page(rows, limit)

    async def positions(self, call: Call) -> Positions:
        rows = await self.reports.positions(strategy_id=call.params["strategyId"], user_id=owner_filter(call))
        return Positions(positions=answers_of(PositionAnswer, rows))

    async def exits(self, call: Call) -> Exits:
        limit = call.params["limit"]
        rows = await self.reports.exits(
            strategy_id=call.params["strategyId"],
            user_id=owner_filter(call),
            ended=call.params["which"] == "all",
            before=before_of(call.params["cursor"]),
            rows_max=limit + 1,
        )
        return Exits(exits=answers_of(ExitAnswer, rows[:limit]), next_cursor=_cursor_after(rows, limit, "exit_id"))

    async def redeemable(self, call: Call) -> Redeemable:
        rows = await self.reports.redeemable(user_id=owner_filter(call))
        return Redeemable(redeemable=answers_of(RedeemableAnswer, rows))

    async def logs(self, call: Call) -> LogPage:
        limit, since = call.params["limit"], call.params["since"]
        rows = await self.reports.logs(
            level=call.params["level"],
            stage=call.params["stage"],
            trace_id=call.params["traceId"],
            execution_id=call.params["executionId"],
            strategy_id=call.params["strategyId"],
            prefix=call.params["prefix"],
            text=call.params["text"],
            order_id=call.params["orderId"],
            since=None if since is None else utc_datetime(since),
            before_id=call.params["before"],
            user_id=owner_filter(call),
            rows_max=limit + 1,
        )
        page = answers_of(LogLineAnswer, rows[:limit])
        return LogPage(lines=page, next_before=page[-1].id if len(rows) > limit else None)

    async def status(self, call: Call) -> LiveStatus:
        halt = await self.reports.halt()
        everybody, name = owner_filter(call) is None, call.principal.user_name
        rows = [row for row in await self.reports.accounts() if everybody or self.accounts.get(row["account"]) == name]
        return LiveStatus(
            is_trading=self.is_trading(),
            halt=None if halt is None else answer_of(HaltAnswer, halt),
            accounts=[self._standing(row) for row in rows],
            own_accounts=sorted(one for one, user in self.accounts.items() if user == name),
            switches=self.switches,
        )

    def _standing(self, row: Row) -> AccountStanding:
        return answer_of(AccountStanding, {**row, "entries_paused_s": self.paused_s(row["account"])})

    async def _known(self, call: Call, strategy_id: str) -> None:
        if not await self.reports.strategies(user_id=owner_filter(call), strategy_id=strategy_id):
            raise unknown_strategy()


def before_of(cursor: FeedPosition | None) -> tuple[datetime, str] | None:
    """Returns the last order of the page before as `LiveReports.orders` takes it."""
    return None if cursor is None else (EPOCH + timedelta(microseconds=cursor.trade_us), cursor.trade_id)


def order_page(rows: Sequence[Row], limit: int) -> LiveOrderPage:
    """Returns a page of at most `limit` orders; one row more than that says that there is a next one."""
    return LiveOrderPage(
        orders=answers_of(LiveOrderAnswer, rows[:limit]), next_cursor=_cursor_after(rows, limit, "order_id")
    )


def _cursor_after(rows: Sequence[Row], limit: int, id_name: str) -> str | None:
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    us = (last["created_at"] - EPOCH) // MICROSECOND
    return cursor_text(FeedPosition(trade_us=us, trade_id=last[id_name]))


def lt_report_routes(
    reports: LiveReports,
    *,
    accounts: Mapping[str, str],
    is_trading: Callable[[], bool],
    paused_s: Callable[[str], float | None] = lambda _account: None,
    switches: LiveSwitches | None = None,
) -> list[ApiRoute]:
    """Returns the routes. `accounts`: user names by account of the configuration; `paused_s`: how long one enters nothing.

    Whoever lacks the scope admin sees his own strategies and accounts.
    """
    both = LiveSwitches(enabled=True, started=True)
    handlers = _Handlers(reports, accounts, is_trading, paused_s, switches or both)
    path, strategy = "/api/lt", strategy_id_param()
    status = choice("status", "only these", *[one.value for one in OrderStatus])
    state = choice("state", "only orders that work, or that ended", "working", "ended")
    page = (status, state, limit_param(50, 200, "orders"), order_cursor())
    which = choice("which", "open ones, or also those that ended", "open", "all", default="open")
    read: dict[str, Any] = {"method": "GET", "scope": Scope.READ}
    return [
        ApiRoute(path=path + "/orders", handler=handlers.orders, answer=LiveOrderPage, params=(strategy, *page),
                 summary="Live orders, newest first.", refusals=REFUSALS, **read),
        ApiRoute(path=path + "/strategies/{strategyId}/orders", handler=handlers.orders, answer=LiveOrderPage,
                 params=(strategy_id_param(in_path=True), *page), summary="Orders of a live strategy, newest first.",
                 refusals=REFUSALS, **read),
        ApiRoute(path=path + "/positions", handler=handlers.positions, answer=Positions, params=(strategy,),
                 summary="Open live positions.", **read),
        ApiRoute(path=path + "/exits", handler=handlers.exits, answer=Exits,
                 params=(strategy, which, limit_param(200, 500, "exits"), order_cursor()),
                 summary="Obligations to sell, newest first; an overdue one sells at any price.", **read),
        ApiRoute(path=path + "/redeemable", handler=handlers.redeemable, answer=Redeemable,
                 summary="Settled positions whose value waits for its redemption at the venue.", **read),
        ApiRoute(path=path + "/logs", handler=handlers.logs, answer=LogPage, params=(strategy, *_log_filters()),
                 summary="Lines of the log of live trading, newest first.", **read),
        ApiRoute(path=path + "/status", handler=handlers.status, answer=LiveStatus,
                 summary="Whether this engine trades, whether entries are halted, how the accounts stood last.", **read),
    ]  # fmt: skip


def _text(text: str) -> str:
    if not 0 < len(text) <= TEXT_CHARS_MAX or "\0" in text:
        raise ValueError(f"must be 1 to {TEXT_CHARS_MAX} characters")
    return text


def _log_filters() -> tuple[Param, ...]:
    return (
        choice("level", "only lines of this level", "info", "warn", "error"),
        pattern("stage", "only lines of this stage", "[A-Z_]{1,40}", allowed="1 to 40 capital letters and _"),
        pattern("traceId", "only lines of one cause", "[A-Za-z0-9_.:-]{1,300}", allowed=ID_ALLOWED),
        pattern("executionId", "only lines of one batch", "[A-Za-z0-9_.:-]{1,300}", allowed=ID_ALLOWED),
        pattern("orderId", "only lines of one order", UUID_PATTERN, allowed="a uuid"),
        choice("prefix", "only messages that begin so", *PREFIXES),
        Param(name="text", doc="only messages that contain this, in whatever case", parse=_text, schema=_TEXT_SCHEMA),
        moment_param("since", "earliest time"),
        limit_param(100, 500, "lines"),
        whole("before", "nextBefore of the page before", at_least=1, at_most=10**18 - 1),
    )
