"""Live strategies: make, change, pause, give capital, sell everything. A running engine notices within seconds."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from config.live_settings import live_document_of, live_settings_from
from config.strategy_settings import SettingsError
from engine.adapters.postgres.live_strategy_store import LiveStrategyStore
from engine.adapters.postgres.strategy_store import StrategyConflictError, StrategyStore
from engine.api.errors import ApiError, bad_field, bad_fields, not_found
from engine.api.lt_access import REFUSALS, confirmed, own_account, owner_filter, strategy_id_param, unknown_strategy
from engine.api.lt_bodies import (
    Changed,
    ChangedCapital,
    ChangedLive,
    Confirmed,
    Flattened,
    LiveStrategies,
    LiveStrategyAnswer,
    LiveStrategyDetail,
    NewLive,
    RiskAnswer,
)
from engine.api.lt_report_bodies import answer_of, answers_of
from engine.api.route import ApiRoute, Call, Rate
from protocols.live.operating import LiveReports, Row
from protocols.live.settings import LiveSettings, LiveStrategy
from protocols.users import Scope

CAPITAL_MAX = Decimal(10**9)
BODY_BYTES_MAX = 1 << 18
RISK_FIELDS = tuple(
    name
    for name in attrs.fields_dict(LiveSettings)
    if name.startswith(("max_", "min_", "circuit_", "daily_")) and name != "max_hold_hours"
)
"""Settings that are risk rules or bounds of a stake."""


@attrs.define(eq=False)
class _Handlers:
    store: LiveStrategyStore
    reports: LiveReports
    paper: StrategyStore
    accounts: Mapping[str, str]

    async def list(self, call: Call) -> LiveStrategies:
        rows = await self.reports.strategies(user_id=owner_filter(call))
        return LiveStrategies(strategies=answers_of(LiveStrategyAnswer, rows))

    async def create(self, call: Call) -> LiveStrategyDetail:
        body: NewLive = call.body
        own_account(call, self.accounts, body.account)
        if _amount("capitalUsd", body.capital_usd) <= 0:
            raise bad_field("capitalUsd", "must be more than 0")
        settings = _settings(body.settings, LiveSettings())
        if await self.paper.get(body.ft_wallet_id) is None:
            raise not_found("unknown_strategy", "there is no such paper strategy")
        try:
            made = await self.store.create(
                body.strategy_id or f"LT_{body.ft_wallet_id}",
                user_id=call.principal.user_id,
                ft_wallet_id=body.ft_wallet_id,
                account=body.account,
                capital_usd=body.capital_usd,
                settings=settings,
                by=call.principal.user_name,
            )
        except StrategyConflictError as error:
            raise ApiError(409, "strategy_exists", str(error)) from None
        return await self._detail(made)

    async def show(self, call: Call) -> LiveStrategyDetail:
        return await self._detail(await self._own(call))

    async def change(self, call: Call) -> LiveStrategyDetail:
        return await self._change(call, await self._own(call))

    async def change_risk(self, call: Call) -> RiskAnswer:
        strategy, body = await self._own(call), call.body
        wrong = [name for name in body.settings if name not in RISK_FIELDS]
        if wrong:
            raise bad_fields([(f"settings.{name}", "is no risk rule") for name in wrong])
        await self._change(call, strategy)
        return await self.risk(call)

    async def risk(self, call: Call) -> RiskAnswer:
        strategy = await self._own(call)
        row, document = await self._row(strategy), live_document_of(strategy.settings)
        figures = {name: row[name] for name in RiskAnswer.__struct_fields__ if name != "rules"}
        return RiskAnswer(rules={name: document[name] for name in RISK_FIELDS}, **figures)

    async def archive(self, call: Call) -> Changed:
        strategy = await self._own(call)
        return Changed(changed=await self.store.archive(strategy.strategy_id, by=call.principal.user_name))

    async def pause(self, call: Call) -> Changed:
        return await self._paused(call, True)

    async def resume(self, call: Call) -> Changed:
        return await self._paused(call, False)

    async def clear_breaker(self, call: Call) -> Changed:
        strategy = await self._own(call)
        return Changed(changed=await self.store.clear_breaker(strategy.strategy_id, by=call.principal.user_name))

    async def capital(self, call: Call) -> LiveStrategyDetail:
        strategy, body = await self._own(call), call.body
        delta = _amount("deltaUsd", body.delta_usd)
        by = call.principal.user_name
        try:
            await self.store.change_capital(strategy.strategy_id, delta, by=by, reason=body.reason)
        except StrategyConflictError as error:
            raise ApiError(409, "capital_conflict", str(error), "deltaUsd") from None
        return await self._detail(strategy)

    async def flatten(self, call: Call) -> Flattened:
        confirmed(call.body.confirm)
        strategy = await self._own(call)
        await self.store.set_paused(strategy.strategy_id, True, by=call.principal.user_name)
        made = await self.store.flatten(strategy.strategy_id)
        return Flattened(exits=len(made))

    async def _change(self, call: Call, before: LiveStrategy) -> LiveStrategyDetail:
        body: ChangedLive = call.body
        if body.version is not None and body.version != before.version:
            raise ApiError(409, "version_conflict", f"the strategy has version {before.version} by now", "version")
        settings = _settings(body.settings, before.settings)
        by = call.principal.user_name
        try:
            after = await self.store.update(before.strategy_id, settings, version=before.version, by=by)
        except StrategyConflictError as error:
            raise ApiError(409, "version_conflict", str(error)) from None
        return await self._detail(after)

    async def _paused(self, call: Call, paused: bool) -> Changed:
        strategy = await self._own(call)
        if not strategy.is_active and not paused:
            raise ApiError(409, "archived", "the strategy is archived; it trades no more")
        return Changed(changed=await self.store.set_paused(strategy.strategy_id, paused, by=call.principal.user_name))

    async def _own(self, call: Call) -> LiveStrategy:
        """Returns the strategy of a path. Raises a 404, also when it is another user's."""
        strategy = await self.store.get(call.params["strategyId"])
        if strategy is None or owner_filter(call) not in (None, strategy.user_id):
            raise unknown_strategy()
        return strategy

    async def _row(self, strategy: LiveStrategy) -> Row:
        rows = await self.reports.strategies(strategy_id=strategy.strategy_id)
        if not rows:
            raise unknown_strategy()
        return rows[0]

    async def _detail(self, strategy: LiveStrategy) -> LiveStrategyDetail:
        row = await self._row(strategy)
        return LiveStrategyDetail(
            strategy=answer_of(LiveStrategyAnswer, row), settings=live_document_of(strategy.settings)
        )


def lt_strategy_routes(
    store: LiveStrategyStore, reports: LiveReports, paper: StrategyStore, accounts: Mapping[str, str]
) -> list[ApiRoute]:
    """Returns the routes. `accounts`: user names by account. What belongs to another user needs the scope admin, too."""
    handlers = _Handlers(store, reports, paper, accounts)
    path = "/api/lt/strategies"
    one, own = path + "/{strategyId}", (strategy_id_param(in_path=True),)
    read: dict[str, Any] = {"method": "GET", "scope": Scope.READ}
    change: dict[str, Any] = {"scope": Scope.TRADE, "rate": Rate.CHANGE, "body_bytes_max": BODY_BYTES_MAX}
    stale = {**REFUSALS, 409: "the strategy has another version by now, or is archived"}
    taken = {404: "there is no such paper strategy, or no such account of yours", 409: "there is such a mirror"}
    short = {**REFUSALS, 409: "more would be taken than is available"}
    return [
        ApiRoute(path=path, handler=handlers.list, answer=LiveStrategies, summary="My live strategies.", **read),
        ApiRoute(method="POST", path=path, handler=handlers.create, answer=LiveStrategyDetail, body=NewLive,
                 summary="Makes a live strategy that mirrors a paper strategy; it begins paused.", refusals=taken, **change),
        ApiRoute(path=one, handler=handlers.show, answer=LiveStrategyDetail, params=own, refusals=REFUSALS,
                 summary="A live strategy: settings, money, figures.", **read),
        ApiRoute(method="PATCH", path=one, handler=handlers.change, answer=LiveStrategyDetail, body=ChangedLive,
                 params=own, summary="Changes settings.", refusals=stale, **change),
        ApiRoute(method="DELETE", path=one, handler=handlers.archive, answer=Changed, params=own, refusals=REFUSALS,
                 summary="Ends a strategy for good; what it holds is followed to its end.", **change),
        ApiRoute(path=one + "/risk", handler=handlers.risk, answer=RiskAnswer, params=own, refusals=REFUSALS,
                 summary="Risk rules of a strategy and what they look at.", **read),
        ApiRoute(method="PATCH", path=one + "/risk", handler=handlers.change_risk, answer=RiskAnswer, body=ChangedLive,
                 params=own, summary="Changes risk rules; null turns one off.", refusals=stale, **change),
        ApiRoute(method="POST", path=one + "/pause", handler=handlers.pause, answer=Changed, params=own,
                 summary="Stops entries; exits go on.", refusals=REFUSALS, **change),
        ApiRoute(method="POST", path=one + "/resume", handler=handlers.resume, answer=Changed, params=own,
                 summary="Lets a strategy make entries.", refusals=stale, **change),
        ApiRoute(method="POST", path=one + "/capital", handler=handlers.capital, answer=LiveStrategyDetail,
                 body=ChangedCapital, params=own, summary="Gives capital, or takes what is available.", refusals=short,
                 **change),
        ApiRoute(method="POST", path=one + "/clear-breaker", handler=handlers.clear_breaker, answer=Changed, params=own,
                 summary="Lets a strategy trade again whose breaker was latched.", refusals=REFUSALS, **change),
        ApiRoute(method="POST", path=one + "/flatten", handler=handlers.flatten, answer=Flattened, body=Confirmed,
                 params=own, summary="Pauses a strategy and sells everything that it holds.", refusals=REFUSALS,
                 **change),
    ]  # fmt: skip


def _settings(document: Mapping[str, Any], base: LiveSettings) -> LiveSettings:
    try:
        return live_settings_from(document, base)
    except SettingsError as error:
        raise bad_fields([(f"settings.{one.field}", one.message) for one in error.problems]) from None


def _amount(field: str, usd: Decimal) -> Decimal:
    """Returns an amount of USD. Raises a 400 for one that is none."""
    if not usd.is_finite() or abs(usd) > CAPITAL_MAX or usd != round(usd, 2):
        raise bad_field(field, "must be an amount of USD with at most two decimals")
    return usd
