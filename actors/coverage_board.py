"""What the last audit of this process found, for the metrics."""

from collections import Counter
from collections.abc import Mapping

import attrs

from protocols.coverage import CoverageSummary, HistoryApi
from protocols.trades import Lane


@attrs.define(eq=False)
class CoverageBoard:
    """Empty until a first audit has ended here."""

    summary: Mapping[Lane, CoverageSummary] = attrs.field(factory=dict)
    """The windows that were closed within a day, by lane."""
    audited_s: float | None = None
    """Monotonic time of the last audit."""
    missed: Counter[str] = attrs.field(factory=lambda: Counter(dict.fromkeys(HistoryApi, 0)))
    """Misses found here, by the history that had them first."""

    def publish(self, summary: Mapping[Lane, CoverageSummary], now_s: float) -> None:
        """Replaces what is shown, at monotonic time `now_s`."""
        self.summary = summary
        self.audited_s = now_s
