"""What the tuner's last run in this process came to, for the metrics."""

from collections import Counter

import attrs

from protocols.tuner import ProposalStatus, TunerCounts


@attrs.define(eq=False)
class TunerBoard:
    """Empty until a first run has ended here."""

    counts: TunerCounts | None = None
    searched: int = 0
    """Looks at strategies that were kept."""
    proposed: int = 0
    ended: Counter[str] = attrs.field(factory=lambda: Counter(dict.fromkeys(ProposalStatus, 0)))
    """What became of proposals here, by status."""
