"""Plays both sides of every strategy in one pass and puts the plan together."""

from collections.abc import Callable, Sequence

import attrs

from config.jobs import RetentionConfig
from config.schema import EngineConfig
from engine.plan.compare import planned_bots
from engine.plan.document import Plan, PlanSource, TraderCoverage
from engine.plan.limits import Known, limits
from engine.plan.refusals import watch_of
from engine.plan.sides import Audience, BotPlan, played_sides
from engine.replay.host import ReplayOrder, replay
from engine.replay.past_model import PastModel
from protocols.timestamps import utc_datetime

THIN_MAX = 50
ROWS_MAX = 10_000
"""Differing trades of one strategy in a document."""


@attrs.frozen(kw_only=True)
class PlanOrder:
    """What to compare, on which trades."""

    bots: Sequence[BotPlan]
    """At least one."""
    unchanged: Sequence[str] = ()
    audience: Audience
    played: ReplayOrder
    """The trades, with everything but the strategies."""
    asked_ms: int
    """From when on trades were wanted."""
    markets_unknown: int = 0
    markets_open: int = 0
    unusable: int = 0
    thin: Sequence[TraderCoverage] = ()
    absent_count: int = 0
    retention: RetentionConfig | None = None
    """None: the trades are those of a tape."""


def make_plan(
    config: EngineConfig,
    order: PlanOrder,
    *,
    rows_max: int = ROWS_MAX,
    progress: Callable[[int], None] = lambda _: None,
) -> Plan:
    """Returns the plan; `progress` is told how many trades have been played."""
    sides = played_sides(order.bots, order.audience)
    pairs = [(bot.sides[0][0], bot.sides[1][0], bot.is_crossing) for bot in order.bots if bot.before is not None]
    watch = watch_of(sides, pairs)
    done = replay(config, attrs.evolve(order.played, bots=sides, watch=watch.told), progress)
    rows = order.played.rows
    source = PlanSource(
        kind="tape" if order.retention is None else "stored",
        since=utc_datetime(rows[0].timestamp_s * 1000),
        until=utc_datetime(done.ended_ms),
        trades=len(rows),
        traders=len({row.wallet for row in rows}),
        markets=len({row.condition_id for row in rows}),
        markets_unknown=order.markets_unknown,
        markets_open=order.markets_open,
        unusable=order.unusable + done.malformed,
    )
    known = Known(
        source=source,
        audience=order.audience,
        asked_ms=order.asked_ms,
        thin_count=len(order.thin),
        absent_count=order.absent_count,
        retention=order.retention,
        has_records=bool(order.played.records) or order.played.record_book is not None,
        has_scores=order.played.scores is not None or order.played.scorer is not None,
        scored_from_ms=scorer.learned_until_ms if isinstance(scorer := order.played.scorer, PastModel) else None,
        undecided=done.dead_letters,
    )
    return Plan(
        source=source,
        seed=order.played.seed,
        bots=planned_bots(order.bots, done, watch, rows_max=rows_max),
        unchanged=list(order.unchanged),
        thin=list(order.thin[:THIN_MAX]),
        thin_count=len(order.thin),
        limits=limits(order.bots, known),
    )
