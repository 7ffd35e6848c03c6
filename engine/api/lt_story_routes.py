"""One trade of live trading from end to end, how a strategy's orders were executed, and every setting there is."""

from datetime import timedelta
from typing import Any

import attrs

from config.live_settings import FIELDS, live_document_of
from engine.api.errors import not_found
from engine.api.lt_access import REFUSALS, owner_filter, strategy_id_param, unknown_strategy
from engine.api.lt_report_bodies import ExitAnswer, LogLineAnswer, answers_of
from engine.api.lt_story_bodies import (
    FillAnswer,
    LedgerAnswer,
    LiveSettingsAnswer,
    PerformanceAnswer,
    StoryAnswer,
    StoryOrderAnswer,
)
from engine.api.lt_strategy_routes import RISK_FIELDS
from engine.api.params import pattern
from engine.api.route import ApiRoute, Call
from engine.api.setting_answers import setting_answers
from protocols.clock import WallClock
from protocols.live.operating import LiveReports
from protocols.live.settings import LiveSettings
from protocols.live.story import LiveStories
from protocols.timestamps import utc_datetime
from protocols.users import Scope

DAYS_SHOWN, ENTRIES_LOOKED_AT = 365, 1_000


@attrs.define(eq=False)
class _Handlers:
    stories: LiveStories
    reports: LiveReports
    clock: WallClock

    async def story(self, call: Call) -> StoryAnswer:
        found = await self.stories.story(call.params["traceId"], user_id=owner_filter(call))
        if found is None:
            raise not_found("unknown_trace", "live trading knows nothing of this id")
        return StoryAnswer(
            orders=answers_of(StoryOrderAnswer, found.orders),
            fills=answers_of(FillAnswer, found.fills),
            ledger=answers_of(LedgerAnswer, found.ledger),
            exits=answers_of(ExitAnswer, found.exits),
            lines=answers_of(LogLineAnswer, found.lines),
        )

    async def performance(self, call: Call) -> PerformanceAnswer:
        strategy_id = call.params["strategyId"]
        if not await self.reports.strategies(user_id=owner_filter(call), strategy_id=strategy_id):
            raise unknown_strategy()
        from_day = utc_datetime(self.clock.now_ms()).date() - timedelta(days=DAYS_SHOWN)
        found = await self.stories.performance(
            strategy_id, from_day=from_day, days_max=DAYS_SHOWN + 1, orders_max=ENTRIES_LOOKED_AT
        )
        return PerformanceAnswer(days=list(found.days), quality=found.quality)


async def _settings(_call: Call) -> LiveSettingsAnswer:
    settings = setting_answers(FIELDS, live_document_of(LiveSettings()))
    return LiveSettingsAnswer(settings=settings, risk_rules=list(RISK_FIELDS))


def lt_story_routes(stories: LiveStories, reports: LiveReports, clock: WallClock) -> list[ApiRoute]:
    """Returns the routes. Whoever lacks the scope admin sees his own."""
    handlers = _Handlers(stories, reports, clock)
    trace = pattern(
        "traceId", "id of a trade, an order or an obligation to sell", "[A-Za-z0-9_.:-]{1,300}",
        allowed="1 to 300 letters, digits and _ . : -", required=True, in_path=True,
    )  # fmt: skip
    read: dict[str, Any] = {"method": "GET", "scope": Scope.READ}
    return [
        ApiRoute(path="/api/lt/trace/{traceId}", handler=handlers.story, answer=StoryAnswer, params=(trace,),
                 summary="One trade of live trading: orders, fills, ledger, obligations to sell, lines of the log.",
                 refusals={404: "live trading knows nothing of this id, or it is another user's"}, **read),
        ApiRoute(path="/api/lt/strategies/{strategyId}/performance", handler=handlers.performance,
                 answer=PerformanceAnswer, params=(strategy_id_param(in_path=True),), refusals=REFUSALS,
                 summary="Days of a live strategy, and slippage, fills and latency of its last entries.", **read),
        ApiRoute(path="/api/lt/settings", handler=_settings, answer=LiveSettingsAnswer,
                 summary="Every setting of a live strategy: what is allowed, its default, its meaning.", **read),
    ]  # fmt: skip
