"""All gates of domain.md §2.6, in their order, with those that this engine adds in between."""

from actors.rules.strategy.entry_gates import ENTRY_GATES
from actors.rules.strategy.gate import Gate
from actors.rules.strategy.record_gates import RECORD_GATES

GATES: tuple[Gate, ...] = (*ENTRY_GATES, *RECORD_GATES)
