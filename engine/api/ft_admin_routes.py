"""Who is copied, and a dry run of the chain; for administrators how much came, and a settling now."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import attrs
import msgspec

from actors.rules.decision_inputs import inputs_of
from actors.rules.strategy.why import gates, stand_in
from engine.api.bot_bodies import WalletId
from engine.api.errors import not_found, unavailable
from engine.api.ft_access import REFUSALS, is_admin, limit_param, own_standing
from engine.api.params import wallet
from engine.api.route import ApiRoute, Call, Rate, Struct
from protocols.clock import WallClock
from protocols.conflicts import Stand
from protocols.decisions import Inputs
from protocols.errors import FencedError, MalformedError
from protocols.ft_reports import FtReports, StreamStatus
from protocols.paper import DecisionMarkets, TraderRecords
from protocols.timestamps import utc_datetime
from protocols.users import Scope
from protocols.why import GateWhy, WhyFacts, WhyStore

SettleNow = Callable[[], "Awaitable[Mapping[str, int]] | None"]
"""Begins a pass of the settler, whose figures it returns; None where none runs in this engine."""
TradeId = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_.:-]{1,300}(?!\\n)$")]


class TargetsAnswer(Struct):
    """A page of wallets that running strategies copy, in their order."""

    traders: list[str]
    count: int
    """Of all pages."""
    has_leaderboard_wallets: bool
    updated_at: datetime
    next_cursor: str | None


class Resolved(Struct):
    """What one pass over all markets with open orders came to."""

    markets: int
    stored: int
    """Settled by what is stored, with no call."""
    asked: int
    """Asked of the venue."""
    resolved: int
    absent: int
    unknown_tokens: int
    disagreements: int
    refused: int
    calls: int
    orders: int
    """Settled."""


class Diagnosed(Struct):
    """Which trade, which strategy."""

    trade_id: TradeId
    wallet_id: WalletId


class Diagnosis(Struct):
    """What the strategy as it is now would do with a stored trade. Nothing is kept of it.

    Its policies for conflicts are judged by what it had when it decided this trade, and left out where it was not asked then.
    """

    trade_id: str
    wallet_id: str
    version: int
    judged_at: datetime
    """The moment that the age of the trade is measured at: when it was decided, else when it arrived."""
    inputs: str
    """`decision`: those that were kept when it was decided; `stored`: market and record as they are now."""
    would: str
    """taken, or the reason of the first gate that fails."""
    bankroll: Decimal
    """USD: the strategy's cash now."""
    gates: list[GateWhy]


@attrs.define(eq=False, kw_only=True)
class _Handlers:
    reports: FtReports
    facts: WhyStore
    markets: DecisionMarkets
    records: TraderRecords
    settle_now: SettleNow
    clock: WallClock

    async def targets(self, call: Call) -> TargetsAnswer:
        limit, now_ms = call.params["limit"], self.clock.now_ms()
        wallets, count, leaders = await self.reports.target_traders(
            after=call.params["cursor"] or "",
            owner_id=None if is_admin(call) else call.principal.user_id,
            now_ms=now_ms,
            rows_max=limit + 1,
        )
        page = list(wallets)[:limit]
        return TargetsAnswer(
            traders=page,
            count=count,
            has_leaderboard_wallets=leaders,
            updated_at=utc_datetime(now_ms),
            next_cursor=page[-1] if len(wallets) > limit else None,
        )

    async def stream_status(self, _call: Call) -> StreamStatus:
        return await self.reports.stream_status(self.clock.now_ms())

    async def resolve(self, _call: Call) -> Resolved:
        settling = self.settle_now()
        if settling is None:
            raise unavailable("this engine does not settle: another one does, or none")
        try:
            return Resolved(**await settling)
        except FencedError as error:
            raise unavailable(f"this engine does not settle any more: {error}") from None

    async def diagnose(self, call: Call) -> Diagnosis:
        trade_id, wallet_id = call.body.trade_id, call.body.wallet_id
        standing = await own_standing(self.reports, call, wallet_id)
        found = await self.facts.facts(trade_id)
        if found is None:
            raise not_found("unknown_trade", f"the engine has no trade {trade_id}")
        inputs, source, stand = await self._inputs(found, standing.strategy.number)
        targeted = await self.facts.is_target(wallet_id, found.trade.trader)
        targets = None if targeted is None else frozenset({inputs.wallet} if targeted else ())
        cash = standing.balance.cash
        reports = gates(standing.strategy.settings, inputs, cash, targets, stand)
        return Diagnosis(
            trade_id=trade_id,
            wallet_id=wallet_id,
            version=standing.strategy.version,
            judged_at=utc_datetime(inputs.now_ms),
            inputs=source,
            would=next((report.reason for report in reports if not report.passed), "taken"),
            bankroll=cash,
            gates=reports,
        )

    async def _inputs(self, found: WhyFacts, number: int) -> tuple[Inputs, str, Stand | None]:
        trade = found.trade
        # Those of the part in which the strategy itself decided go first: only they have what it asked for.
        for decision in sorted(found.decisions, key=lambda one: number not in one.strategies):
            if decision.trade_id == trade.trade_id and not decision.members:
                try:
                    inputs = msgspec.json.decode(decision.snapshot, type=Inputs)
                    return inputs, "decision", stand_in(decision, number)
                except msgspec.MsgspecError:
                    continue
        markets = await self.markets.find([trade.condition_id])
        records = await self.records.find([trade.trader])
        try:
            inputs = inputs_of(trade, markets.get(trade.condition_id), records.get(trade.trader))
            return inputs, "stored", None
        except MalformedError as error:
            raise not_found("unusable_trade", f"the stored trade is not understood: {error}") from None


def ft_admin_routes(
    *,
    reports: FtReports,
    facts: WhyStore,
    markets: DecisionMarkets,
    records: TraderRecords,
    settle_now: SettleNow,
    clock: WallClock,
) -> list[ApiRoute]:
    """Returns the routes."""
    handlers = _Handlers(
        reports=reports, facts=facts, markets=markets, records=records, settle_now=settle_now, clock=clock
    )
    return [
        ApiRoute(
            method="GET",
            path="/api/ft/target-traders",
            handler=handlers.targets,
            scope=Scope.READ,
            summary="Wallets that my running strategies copy; with the scope admin those of everybody",
            answer=TargetsAnswer,
            params=(limit_param(1_000, 10_000, "wallets"), wallet("cursor")),
        ),
        ApiRoute(
            method="GET",
            path="/api/ft/stream-status",
            handler=handlers.stream_status,
            scope=Scope.ADMIN,
            rate=Rate.ADMIN,
            summary="How much there is to copy, and how much was copied lately",
            answer=StreamStatus,
        ),
        ApiRoute(
            method="POST",
            path="/api/ft/resolve",
            handler=handlers.resolve,
            scope=Scope.ADMIN,
            rate=Rate.ADMIN,
            summary="Looks for resolutions now, and settles what they allow",
            answer=Resolved,
        ),
        ApiRoute(
            method="POST",
            path="/api/ft/sync-diagnose",
            handler=handlers.diagnose,
            scope=Scope.READ,
            rate=Rate.CHANGE,
            summary="What one of my strategies as it is now would do with a stored trade: every gate; nothing is inserted",
            answer=Diagnosis,
            body=Diagnosed,
            refusals={**REFUSALS, 404: "there is no such strategy or trade"},
        ),
    ]
