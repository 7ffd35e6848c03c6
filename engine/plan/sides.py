"""Both versions of each strategy as strategies of one replay, with accounts of their own."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import attrs

from actors.rules.strategy_index import needs_of
from config.strategy_settings import document_of
from protocols.strategies import StrategySettings, TargetMode

NOBODY = "0x" + "0" * 40
"""Trades nothing, ever. A strategy without any trader would copy all of a tape."""


@attrs.frozen(kw_only=True)
class BotPlan:
    """A strategy as it is stored and as it is to become."""

    name: str
    after: StrategySettings
    before: StrategySettings | None = None
    """None: it is new."""
    version: int | None = None
    owner_id: str = ""

    @property
    def changes(self) -> list[tuple[str, object, object]]:
        """Returns name, old and new of each setting that differs; of a new one from the defaults."""
        old, new = document_of(self.before or StrategySettings()), document_of(self.after)
        return [(name, old[name], new[name]) for name in new if old[name] != new[name]]

    @property
    def sides(self) -> list[tuple[str, StrategySettings]]:
        """Returns the names of the strategies in the replay, with settings. No stored strategy can have such a name."""
        found = [] if self.before is None else [(f"before:{self.name}", self.before)]
        return [*found, (f"after:{self.name}", self.after)]

    @property
    def is_crossing(self) -> bool:
        """Whether both sides wait for different things, so that they decide at different times."""
        return self.before is not None and needs_of(self.before) != needs_of(self.after)


@attrs.frozen(kw_only=True)
class Audience:
    """Whom target modes mean."""

    followed: Mapping[str, AbstractSet[str]] = attrs.field(factory=dict)
    """By owner."""
    leaderboard: AbstractSet[str] = frozenset()
    others: Sequence[str] | None = None
    """Whom strategies copy instead that have no list of their own; None: as their mode says."""
    everyone_else: bool = False
    """Without `others`: strategies without a list copy everyone, as on a tape."""

    def targets(self, bot: BotPlan, settings: StrategySettings) -> frozenset[str] | None:
        """Returns the wallets that a side copies, none while it is paused; None for everyone's."""
        if not settings.is_active:
            return frozenset()
        if settings.target_mode is TargetMode.EVERYONE:
            return None
        if settings.target_mode is TargetMode.LIST and (settings.target_traders or not self.everyone_else):
            return frozenset(settings.target_traders)
        if self.others:
            return frozenset(self.others)
        if self.everyone_else:
            return None
        if settings.target_mode is TargetMode.FOLLOWED:
            return frozenset(self.followed.get(bot.owner_id, ()))
        return frozenset(self.leaderboard)

    def wallets(self, bots: Sequence[BotPlan]) -> frozenset[str] | None:
        """Returns whose trades have to be played for all sides; None: everybody's."""
        found = [self.targets(bot, settings) for bot in bots for _, settings in bot.sides]
        return None if any(one is None for one in found) else frozenset().union(*(one or () for one in found))


def played_sides(bots: Sequence[BotPlan], audience: Audience) -> list[tuple[str, StrategySettings]]:
    """Returns the strategies of the replay. Both sides of a strategy begin with the balance of its new settings."""
    found = []
    for bot in bots:
        for name, settings in bot.sides:
            targets = audience.targets(bot, settings)
            found.append(
                (
                    name,
                    attrs.evolve(
                        settings,
                        starting_balance=bot.after.starting_balance,
                        target_mode=TargetMode.EVERYONE if targets is None else TargetMode.LIST,
                        target_traders=() if targets is None else tuple(sorted(targets)) or (NOBODY,),
                    ),
                )
            )
    return found
