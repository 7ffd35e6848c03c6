"""Replays of a change of a strategy, before it is saved: begun, looked at, ended. The work is done beside the engine."""

from typing import Annotated, Any, Literal

import attrs
import msgspec

from config.strategy_settings import SettingsError, settings_from
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.api.answer import encode
from engine.api.bot_bodies import ChangedSettings
from engine.api.errors import ApiError, bad_field, bad_fields, not_found
from engine.api.ft_access import REFUSALS, wallet_id_param
from engine.api.params import Param, pattern
from engine.api.route import ApiRoute, Call, Rate, Struct
from engine.plan.document import Plan
from engine.plan_desk import PlanBusyError, PlanDesk, PlanJob
from protocols.strategies import Strategy
from protocols.users import Scope

DAYS_MAX = 30
BUSY_RETRY_S = 10.0
# One list of wallets at its longest, as for a change that is saved.
BODY_BYTES_MAX = 1 << 20


class AskedPlan(ChangedSettings):
    """A change that is not saved, and on how many days of stored trades it is tried."""

    days: Annotated[int, msgspec.Meta(ge=1, le=DAYS_MAX)] = 7


class PlanProgress(Struct):
    """How far a plan is. `plan` stands there when `state` is done, `error` when it failed."""

    plan_id: str
    wallet_id: str
    days: int
    state: Literal["running", "done", "failed"]
    played: int
    total: int
    """Trades; 0 while they are being read."""
    error: str | None
    plan: Plan | None


class _Progress(PlanProgress):
    plan: msgspec.Raw | None  # type: ignore[assignment]


class EndedPlan(Struct):
    """A plan that is forgotten."""

    plan_id: str


@attrs.define(eq=False)
class _Handlers:
    store: StrategyStore
    desk: PlanDesk

    async def begin(self, call: Call) -> bytes:
        body: AskedPlan = call.body
        strategy = await self._own(call)
        if body.version is not None and body.version != strategy.version:
            raise ApiError(409, "version_conflict", f"the strategy has version {strategy.version} by now", "version")
        try:
            wanted = settings_from(body.settings, strategy.settings)
        except SettingsError as error:
            raise bad_fields([(f"settings.{one.field}", one.message) for one in error.problems]) from None
        if wanted == strategy.settings:
            raise bad_field("settings", "nothing is different from what is saved")
        try:
            job = self.desk.begin(call.principal.user_id, strategy.wallet_id, wanted, body.days)
        except PlanBusyError as error:
            if error.is_own:
                raise ApiError(409, "plan_running", str(error)) from None
            raise ApiError(429, "busy", str(error), None, BUSY_RETRY_S) from None
        return _told(job)

    async def look(self, call: Call) -> bytes:
        return _told(self._job(call))

    async def end(self, call: Call) -> EndedPlan:
        job = self._job(call)
        self.desk.drop(job)
        return EndedPlan(plan_id=job.plan_id)

    def _job(self, call: Call) -> PlanJob:
        job = self.desk.find(call.params["planId"], call.principal.user_id)
        if job is None:
            raise not_found("unknown_plan", "there is no such replay, or it is no longer kept")
        return job

    async def _own(self, call: Call) -> Strategy:
        """Returns the strategy of a path. Raises a 404, also when it is another user's."""
        strategy = await self.store.get(call.params["walletId"])
        is_admin = Scope.ADMIN in call.principal.scopes
        if strategy is None or (strategy.owner_id != call.principal.user_id and not is_admin):
            raise not_found("unknown_strategy", "there is no such strategy")
        return strategy


def _told(job: PlanJob) -> bytes:
    return encode(
        _Progress(
            plan_id=job.plan_id,
            wallet_id=job.wallet_id,
            days=job.days,
            state=job.state,
            played=job.played,
            total=job.total,
            error=job.error,
            plan=None if job.answer is None else msgspec.Raw(job.answer),
        )
    )


def plan_routes(store: StrategyStore, desk: PlanDesk) -> list[ApiRoute]:
    """Returns the routes. A plan is only told to whoever asked for it."""
    handlers = _Handlers(store, desk)
    change: dict[str, Any] = {"scope": Scope.TRADE, "rate": Rate.CHANGE}
    gone = {404: "there is no such replay of yours, or it is no longer kept"}
    return [
        ApiRoute(
            method="POST",
            path="/api/ft/wallets/{walletId}/plan",
            handler=handlers.begin,
            **change,
            summary="Begin a replay of a change on stored trades; nothing is saved. Then look at it until it is done",
            answer=PlanProgress,
            body=AskedPlan,
            body_bytes_max=BODY_BYTES_MAX,
            params=(wallet_id_param(required=True, in_path=True),),
            refusals={**REFUSALS, 409: "the strategy has another version by now, or your last replay still runs"},
        ),
        ApiRoute(
            method="GET",
            path="/api/ft/plans/{planId}",
            handler=handlers.look,
            scope=Scope.READ,
            summary="How far a replay of mine is, and what came of it; kept for 15 minutes, the last one only",
            answer=PlanProgress,
            params=(_plan_id(),),
            refusals=gone,
        ),
        ApiRoute(
            method="DELETE",
            path="/api/ft/plans/{planId}",
            handler=handlers.end,
            **change,
            summary="End a replay of mine and forget it",
            answer=EndedPlan,
            params=(_plan_id(),),
            refusals=gone,
        ),
    ]


def _plan_id() -> Param:
    return pattern(
        "planId", "id of a replay", "[0-9a-f]{16}", allowed="16 hexadecimal digits", required=True, in_path=True
    )
