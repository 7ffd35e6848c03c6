"""Watches a replay for trades that one side of a strategy copies and the other refuses."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import attrs
import msgspec

from actors.rules.strategy.why import gates
from engine.plan.document import Refusal
from protocols.decisions import Decision, Inputs, Reason
from protocols.strategies import StrategySettings

SNAPSHOTS_MAX = 5_000
"""Of refusals whose gate is shown with value and limit: each costs some kilobytes."""
_DONE = frozenset((Reason.TAKEN.value, Reason.TRADER_SELL.value))
_INPUTS = msgspec.json.Decoder(Inputs)


@attrs.frozen
class Refused:
    """Why a side did not copy a trade."""

    reason: str
    bankroll: Decimal | None = None
    snapshot: str | None = None
    """`Inputs` as JSON, where it is kept."""

    def told(self, settings: StrategySettings) -> Refusal:
        """Returns the gate of these settings that failed."""
        if self.snapshot is not None:
            for gate in gates(settings, _INPUTS.decode(self.snapshot), self.bankroll, settings.target_traders or None):
                if gate.reason == self.reason and not gate.passed:
                    return Refusal(reason=self.reason, value=gate.value, limit=gate.limit)
        return Refusal(reason=self.reason)


@attrs.define(eq=False)
class RefusalWatch:
    """Keeps refusals of trades that the other side took, so that memory grows with differences and not with trades.

    Only of strategies whose sides decide at different times every refusal is kept, without its inputs.
    """

    others: Mapping[int, int]
    """Number of a side → number of the other side."""
    crossing: frozenset[int] = frozenset()
    """Numbers of sides that do not decide together with the other one."""
    _found: dict[tuple[int, str], Refused] = attrs.field(init=False, factory=dict)
    _members: dict[tuple[int, str], str] = attrs.field(init=False, factory=dict)
    """Side and trade → the aggregate that it was a part of."""
    _snapshots: int = attrs.field(init=False, default=0)

    def told(self, decision: Decision) -> None:
        """Takes a decision."""
        reasons = dict(zip(decision.strategies, decision.reasons, strict=True))
        for place, (number, reason) in enumerate(reasons.items()):
            other = self.others.get(number)
            if other is None:
                continue
            if number in self.crossing:
                self._members.update(((number, member), decision.trade_id) for member in decision.members[1:])
            if reason in _DONE or reason == Reason.NOT_BUY:
                continue
            if reasons.get(other) == Reason.TAKEN:
                self._snapshots += 1
                kept = decision.snapshot if self._snapshots <= SNAPSHOTS_MAX else None
                self._found[number, decision.trade_id] = Refused(reason, decision.bankrolls[place], kept)
            elif number in self.crossing:
                self._found[number, decision.trade_id] = Refused(reason)

    def refusal(self, number: int, trade_id: str, settings: StrategySettings, trader: str) -> Refusal:
        """Returns why a side did not copy a trade that the other side copied."""
        found = self._found.get((number, trade_id))
        if found is not None:
            return found.told(settings)
        if (number, trade_id) in self._members:
            return Refusal(reason=Reason.AGGREGATED.value)
        if not settings.is_active:
            return Refusal(reason="paused")
        if settings.target_traders and trader not in settings.target_traders:
            return Refusal(reason=Reason.NOT_TARGET_TRADER.value)
        return Refusal(reason="not_decided")


def watch_of(sides: Sequence[tuple[str, StrategySettings]], pairs: Sequence[tuple[str, str, bool]]) -> RefusalWatch:
    """Returns the watch of pairs: names of both sides, and whether they decide at different times."""
    numbers = {name: number for number, (name, _) in enumerate(sides, 1)}
    others, crossing = dict[int, int](), set[int]()
    for before, after, is_crossing in pairs:
        one, two = numbers[before], numbers[after]
        others |= {one: two, two: one}
        crossing |= {one, two} if is_crossing else set()
    return RefusalWatch(others, frozenset(crossing))
