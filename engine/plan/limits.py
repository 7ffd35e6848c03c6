"""What a plan cannot know, in sentences: each only where it matters for the strategies that are compared."""

from collections.abc import Callable, Iterator, Sequence

import attrs

from actors.rules.strategy_index import needs_of
from config.jobs import RetentionConfig
from engine.plan.document import PlanSource
from engine.plan.sides import Audience, BotPlan
from protocols.strategies import EntryModel, Rotation, StrategySettings, TargetMode
from protocols.timestamps import utc_datetime

NAMES_MAX = 5
DAY_MS = 86_400_000


@attrs.frozen(kw_only=True)
class Known:
    """What was at hand for a plan."""

    source: PlanSource
    audience: Audience
    asked_ms: int
    """From when on trades were wanted."""
    thin_count: int = 0
    absent_count: int = 0
    """Traders of whom nothing at all was played."""
    retention: RetentionConfig | None = None
    """None: the trades are those of a tape."""
    has_records: bool = True
    has_scores: bool = False
    scored_from_ms: int | None = None
    """From when on the model that judges now has not learned from trades; None: no model judges."""
    undecided: int = 0


def limits(bots: Sequence[BotPlan], known: Known) -> list[str]:
    """Returns the sentences, the weightiest first."""
    return [
        *_of_trades(known),
        *_of_settings(bots, known),
        *_of_targets(bots, known),
        "Both sides begin with the same balance and no position: what a strategy holds today is not in it, and sales of what "
        "traders had bought before are copied in proportion to what they bought within this time.",
        "Trades are played at the moment at which they happened: what the stream lost, or brought late, is played as if it had "
        "come at once, and max_trade_age_s refuses nothing.",
    ]


def _of_trades(known: Known) -> Iterator[str]:
    source, keeps = known.source, known.retention
    if known.absent_count:
        yield f"Of {known.absent_count:,} traders that are copied before or after, no trade is stored for this time."
    if known.thin_count and keeps is not None:
        yield (
            f"Of {known.thin_count:,} traders the stored trades do not go back to the beginning: trades of traders whom no "
            f"strategy copies are kept for {keeps.followed_days} days, or {keeps.resolved_days} once their market is resolved, "
            f"those of copied traders for {keeps.target_days} days. The side that copies them is shown with too few trades."
        )
    late_ms = round(source.since.timestamp() * 1000) - known.asked_ms
    if keeps is not None and late_ms > DAY_MS:
        yield f"The first trade that is stored is of {source.since:%Y-%m-%d %H:%M} UTC: of the days before it nothing is known."
    if source.markets_unknown:
        yield (
            f"Of {source.markets_unknown:,} of {source.markets:,} markets nothing is stored: kind, fees and end are "
            "not known there, and positions in them are marked to the last trade."
        )
    if source.markets_open:
        yield (
            f"{source.markets_open:,} of {source.markets:,} markets have no result yet: positions in them are marked to the "
            "last trade, which is no profit."
        )
    if source.unusable or known.undecided:
        yield f"{source.unusable + known.undecided:,} trades could not be used."


def _of_settings(bots: Sequence[BotPlan], known: Known) -> Iterator[str]:
    if names := _names(bots, lambda one: one.entry_model is EntryModel.BOOK):
        yield (
            f"{names}: buys from the order book, and there is none of the past: each such trade counts as book_unavailable. "
            "Compare with entry_model slip or observed."
        )
    if names := _names(bots, lambda one: needs_of(one).portfolio):
        yield f"{names}: stakes by the trader's portfolio, and what it was worth is not known: portfolio_unknown."
    if not known.has_scores and (names := _names(bots, lambda one: one.use_model)):
        yield f"{names}: asks the model, and no scores of these trades are kept: ml_unavailable, or as absent_score says."
    names = _names(bots, lambda one: one.use_model)
    if known.scored_from_ms is not None and names:
        yield (
            f"{names}: asks the model. The one that judges now is asked, on trades since "
            f"{utc_datetime(known.scored_from_ms):%Y-%m-%d %H:%M} UTC: it has learned from earlier ones, which have no score."
        )
    if not known.has_records:
        yield (
            "The records of traders are not known: each counts as one with a win rate of one half and no resolved trades. Most "
            "strategies take nothing from such a trader; --stats gives records."
        )
    changed = [bot.name for bot in bots if bot.before is not None and _balance_changes(bot)]
    if changed:
        yield (
            f"{', '.join(changed[:NAMES_MAX])}: starting_balance changes; both sides begin with the new one. A strategy that "
            "has traded keeps its old one: saving this will be refused then."
        )


def _of_targets(bots: Sequence[BotPlan], known: Known) -> Iterator[str]:
    audience = known.audience
    if audience.others is not None or audience.everyone_else:
        return
    if names := _names(bots, lambda one: one.target_mode is TargetMode.FOLLOWED):
        yield f"{names}: copies whom its owner follows today; whom he followed then is not looked at."
    if names := _names(bots, lambda one: one.target_mode is TargetMode.LEADERBOARD):
        yield f"{names}: copies the leaderboard of today; who stood on it then is not looked at."
    if names := _names(bots, lambda one: one.rotation is not Rotation.NONE):
        yield (
            f"{names}: rotation would have changed target_traders every night; those of today are copied all the time. "
            "They were chosen for what they won: a replay of that time flatters them."
        )


def _names(bots: Sequence[BotPlan], wants: Callable[[StrategySettings], bool]) -> str:
    found = [bot.name for bot in bots if any(wants(settings) for _, settings in bot.sides)]
    more = f" and {len(found) - NAMES_MAX} more" if len(found) > NAMES_MAX else ""
    return ", ".join(found[:NAMES_MAX]) + more


def _balance_changes(bot: BotPlan) -> bool:
    return bot.before is not None and bot.before.starting_balance != bot.after.starting_balance
