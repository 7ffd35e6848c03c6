"""A plan on stored trades: strategies as they are stored, whom they mean, and what their traders did."""

from collections import Counter
from collections.abc import Mapping, Sequence

import attrs

from config.schema import EngineConfig
from config.strategy_files import BotEntry, settings_of_entries
from engine.adapters.postgres.backtest_store import PostgresBacktestStore
from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.model_store import PostgresModelStore
from engine.adapters.postgres.plan_store import PostgresPlanStore
from engine.plan.document import TraderCoverage
from engine.plan.make import PlanOrder
from engine.plan.sides import Audience, BotPlan
from engine.replay.past_model import past_model
from engine.replay.stored import StoredTape, stored_tape
from protocols.backtest import BacktestQuery
from protocols.errors import RejectedError
from protocols.score_table import ScoreTable
from protocols.strategies import Strategy, TargetMode
from protocols.timestamps import utc_datetime

DAY_MS = 86_400_000
DAYS_MAX = 180


@attrs.frozen(kw_only=True)
class Wanted:
    """What is asked for."""

    days: int
    now_ms: int
    trades_max: int
    seed: int = 1
    others: Sequence[str] = ()
    """Whom strategies copy that have no list of their own; empty: as their mode says."""

    @property
    def since_ms(self) -> int:
        """Returns the time from which on trades are played."""
        return self.now_ms - self.days * DAY_MS


def bot_plans(
    entries: Sequence[BotEntry], stored: Mapping[str, Strategy], owner_id: str, *, unchanged_too: bool = False
) -> tuple[list[BotPlan], list[str]]:
    """Returns strategies that a file makes or changes, and names of those that it leaves as they are.

    Raises `SettingsError` with the mistakes of all of them.
    """
    wanted = settings_of_entries(entries, {name: one.settings for name, one in stored.items()})
    found, same = list[BotPlan](), list[str]()
    for name, after in wanted:
        old = stored.get(name)
        if old is None:
            found.append(BotPlan(name=name, after=after, owner_id=owner_id))
            continue
        if old.settings == after:
            same.append(name)
        if old.settings != after or unchanged_too:
            plan = BotPlan(name=name, before=old.settings, after=after, version=old.version, owner_id=old.owner_id)
            found.append(plan)
    return found, same


async def audience_of(store: PostgresPlanStore, bots: Sequence[BotPlan], others: Sequence[str]) -> Audience:
    """Returns whom strategies mean today. Raises `TransientError`."""
    modes = {settings.target_mode for bot in bots for _, settings in bot.sides}
    is_followed = TargetMode.FOLLOWED in modes and not others
    is_leaderboard = TargetMode.LEADERBOARD in modes and not others
    return Audience(
        followed=await store.followed([bot.owner_id for bot in bots]) if is_followed else {},
        leaderboard=await store.leaderboard() if is_leaderboard else set(),
        others=tuple(others) or None,
    )


async def stored_order(
    reads: RunsWork,
    config: EngineConfig,
    bots: Sequence[BotPlan],
    unchanged: Sequence[str],
    wanted: Wanted,
    scores: ScoreTable | None,
) -> PlanOrder:
    """Returns what to compare on stored trades. Raises `TransientError`, and `RejectedError` when there is nothing to play."""
    store = PostgresPlanStore(reads)
    audience = await audience_of(store, bots, wanted.others)
    wallets = audience.wallets(bots)
    if wallets is not None and not wallets:
        raise RejectedError("neither side copies any trader: they are paused, follow nobody, or have an empty list")
    query = BacktestQuery(
        since_ms=wanted.since_ms, until_ms=wanted.now_ms, wallets=None if wallets is None else sorted(wallets)
    )
    tape = await stored_tape(PostgresBacktestStore(reads), query, trades_max=wanted.trades_max)
    coverage = await coverage_of(store, tape, wallets)
    if not tape.rows:
        raise RejectedError(_nothing(coverage, wanted))
    # A file that is named goes first, as in the engine.
    scorer = await past_model(PostgresModelStore(reads)) if scores is None else None
    thin = [one for one in coverage if one.oldest is None or one.oldest > utc_datetime(wanted.since_ms)]
    return PlanOrder(
        bots=bots,
        unchanged=unchanged,
        audience=audience,
        played=tape.order([], seed=wanted.seed, scores=scores, scorer=scorer),
        asked_ms=wanted.since_ms,
        markets_unknown=tape.markets_unknown,
        markets_open=tape.markets_open,
        thin=thin,
        absent_count=sum(not one.trades for one in coverage),
        retention=config.retention,
    )


async def coverage_of(
    store: PostgresPlanStore, tape: StoredTape, wallets: frozenset[str] | None
) -> list[TraderCoverage]:
    """Returns how far back the trades of each trader go, those with the fewest first; nothing when everybody is copied."""
    if wallets is None:
        return []
    counts, oldest = Counter(row.wallet for row in tape.rows), await store.oldest(sorted(wallets))
    found = [
        TraderCoverage(
            wallet=wallet,
            trades=counts[wallet],
            oldest=utc_datetime(oldest[wallet]) if wallet in oldest else None,
        )
        for wallet in wallets
    ]
    return sorted(found, key=lambda one: (one.trades, one.wallet))


def _nothing(coverage: Sequence[TraderCoverage], wanted: Wanted) -> str:
    days = f"the last {wanted.days} day{'s' if wanted.days > 1 else ''}"
    if not coverage:
        return f"no trade of {days} is stored; `polycopy run` stores trades as they happen"
    known = [one.oldest for one in coverage if one.oldest is not None]
    who = f"of the {len(coverage):,} traders that are copied" if len(coverage) > 1 else f"of {coverage[0].wallet}"
    if not known:
        return f"no trade {who} is stored; `polycopy run` stores trades of traders who are followed or copied"
    return f"no trade {who} in {days} is stored; the oldest that is kept is of {min(known):%Y-%m-%d %H:%M} UTC"
