"""Gates on what other targets do, and on what the strategy holds already: asked last, before the stake is found."""

from collections.abc import Callable

import attrs

from actors.rules.strategy.stands import event_room, least_stake
from actors.rules.strategy.traits import TradeTraits
from protocols.amounts import size_from_micro
from protocols.conflicts import Crowd, Side, Stand
from protocols.decisions import Inputs, Reason
from protocols.strategies import ConflictPolicy, StrategySettings

ConflictTest = Callable[[TradeTraits, Stand], bool]
_UNKNOWN = "nobody knows how its targets stand"


@attrs.frozen(kw_only=True)
class ConflictGate:
    """One condition that depends on the strategy's own positions, or on those of its targets."""

    reason: Reason
    is_on: Callable[[StrategySettings], bool]
    fails: Callable[[StrategySettings, Inputs, Stand], bool]
    value: Callable[[Inputs, Stand], str]
    limit: Callable[[StrategySettings, Inputs], str]

    def test(self, settings: StrategySettings) -> ConflictTest:
        """Returns what tells whether a trade fails with these settings."""
        return lambda traits, stand: self.fails(settings, traits.inputs, stand)


def sides_of(inputs: Inputs, stand: Stand) -> tuple[Side | None, list[Side]]:
    """Returns the side of a trade, None where nobody knows how targets stand, and the other sides."""
    crowd = _crowd(inputs, stand)
    if crowd is None:
        return None, []
    mine = next((side for side in crowd.sides if side.token_id == inputs.token_id), None)
    return mine, [side for side in crowd.sides if side.token_id != inputs.token_id]


def _crowd(inputs: Inputs, stand: Stand) -> Crowd | None:
    crowds = inputs.crowds or ()
    return crowds[stand.crowd] if stand.crowd is not None and stand.crowd < len(crowds) else None


def _is(policy: ConflictPolicy) -> Callable[[StrategySettings], bool]:
    return lambda settings: settings.conflict_policy is policy


def _outnumbered(_: StrategySettings, inputs: Inputs, stand: Stand) -> bool:
    mine, others = sides_of(inputs, stand)
    return mine is None or mine.targets <= max((side.targets for side in others), default=0)


def _outweighed(_: StrategySettings, inputs: Inputs, stand: Stand) -> bool:
    mine, others = sides_of(inputs, stand)
    return mine is None or mine.usd_micro <= max((side.usd_micro for side in others), default=0)


def _beyond_side(settings: StrategySettings, _: Inputs, stand: Stand) -> bool:
    limit = settings.max_targets_per_side
    return limit is not None and stand.beside >= limit


def _event_is_full(settings: StrategySettings, _: Inputs, stand: Stand) -> bool:
    room = event_room(settings, stand)
    return room is not None and room < least_stake(settings)


def _label(inputs: Inputs, token_id: str) -> str:
    market = inputs.market
    if market is not None and token_id in market.token_ids and len(market.outcomes) == len(market.token_ids):
        return market.outcomes[market.token_ids.index(token_id)]
    if token_id == inputs.token_id and inputs.outcome is not None:
        return inputs.outcome
    return f"token {token_id[:6]}…" if len(token_id) > 7 else f"token {token_id}"


def _against(inputs: Inputs, stand: Stand) -> str:
    held = ", ".join(_label(inputs, token_id) for token_id in stand.against)
    return f"holds {held} from other targets" if held else "holds no other outcome from another target"


def _targets(inputs: Inputs, stand: Stand) -> str:
    crowd = _crowd(inputs, stand)
    if crowd is None:
        return _UNKNOWN
    return ", ".join(f"{_label(inputs, side.token_id)}: {side.targets}" for side in crowd.sides)


def _money(inputs: Inputs, stand: Stand) -> str:
    crowd = _crowd(inputs, stand)
    if crowd is None:
        return _UNKNOWN
    texts = []
    for side in crowd.sides:
        usd = size_from_micro(side.usd_micro).normalize()
        texts.append(f"{_label(inputs, side.token_id)}: {usd:f} USD")
    return ", ".join(texts)


def _mine(inputs: Inputs) -> str:
    return _label(inputs, inputs.token_id)


CONFLICT_GATES: tuple[ConflictGate, ...] = (
    ConflictGate(
        reason=Reason.CONFLICT_FIRST,
        is_on=_is(ConflictPolicy.FIRST),
        fails=lambda _settings, _inputs, stand: bool(stand.against),
        value=_against,
        limit=lambda _, inputs: f"nothing but {_mine(inputs)}, or all of it from this trader",
    ),
    ConflictGate(
        reason=Reason.CONFLICT_MAJORITY,
        is_on=_is(ConflictPolicy.MAJORITY),
        fails=_outnumbered,
        value=_targets,
        limit=lambda _, inputs: f"more targets on {_mine(inputs)} than on any other outcome",
    ),
    ConflictGate(
        reason=Reason.CONFLICT_NET,
        is_on=_is(ConflictPolicy.NET),
        fails=_outweighed,
        value=_money,
        limit=lambda _, inputs: f"more on {_mine(inputs)} than on any other outcome",
    ),
    ConflictGate(
        reason=Reason.SIDE_LIMIT,
        is_on=lambda settings: settings.max_targets_per_side is not None,
        fails=_beyond_side,
        value=lambda _, stand: f"others copied on this outcome: {stand.beside}",
        limit=lambda settings, _: f"fewer than {settings.max_targets_per_side}",
    ),
    ConflictGate(
        reason=Reason.EVENT_EXPOSURE,
        is_on=lambda settings: settings.max_event_exposure_usd is not None,
        fails=_event_is_full,
        value=lambda _, stand: f"{stand.event_usd.normalize():f} USD open in the event",
        limit=lambda settings, _: f"{settings.max_event_exposure_usd} USD, at least {least_stake(settings)} of it left",
    ),
)
"""In their order. Nobody's sale comes here."""
