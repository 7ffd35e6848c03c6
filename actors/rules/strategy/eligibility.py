"""The chain: the first gate that fails says why a trade is not copied."""

import attrs

from actors.rules.strategy.conflict_gates import CONFLICT_GATES, ConflictTest
from actors.rules.strategy.gate import Fails, Targets
from actors.rules.strategy.gates import GATES
from actors.rules.strategy.traits import TradeTraits
from protocols.conflicts import Stand
from protocols.decisions import Reason
from protocols.strategies import StrategySettings


@attrs.frozen(eq=False)
class Chain:
    """The gates that can fail with some settings, with their limits bound; made once for a version of a strategy."""

    settings: StrategySettings
    tests: tuple[tuple[Fails, Reason], ...]
    conflicts: tuple[tuple[ConflictTest, Reason], ...] = ()
    """Those that need to know what the strategy and its targets hold."""

    @classmethod
    def of(cls, settings: StrategySettings, targets: Targets) -> "Chain":
        """Returns the chain. `targets` None: whom the strategy copies is looked at elsewhere, or it copies everyone."""
        tests = [(gate.test(settings, targets), gate.reason) for gate in GATES if gate.is_on(settings, targets)]
        conflicts = [(gate.test(settings), gate.reason) for gate in CONFLICT_GATES if gate.is_on(settings)]
        return cls(settings, tuple(tests), tuple(conflicts))

    def first_failure(self, traits: TradeTraits) -> Reason | None:
        """Returns the reason of the first gate that fails, or None when the trade passes."""
        for fails, reason in self.tests:
            if fails(traits):
                return reason
        return None

    def first_conflict(self, traits: TradeTraits, stand: Stand) -> Reason | None:
        """Returns the reason of the first gate on conflicts that fails, or None when the trade passes."""
        for fails, reason in self.conflicts:
            if fails(traits, stand):
                return reason
        return None
