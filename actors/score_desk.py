"""Asks a model for its opinion, and does not wait for ever."""

import logging
from collections import Counter

import attrs
import trio

from actors.rules.log_limit import LogLimit
from protocols.decisions import Absent, Inputs, Present, Score
from protocols.paper import Scorer

_log = logging.getLogger(__name__)


@attrs.define(eq=False, kw_only=True)
class ScoreDesk:
    """A scorer that fails or is slow leaves the score absent, which is never a number (I8)."""

    scorer: Scorer
    timeout_ms: float
    results: Counter[str] = attrs.field(init=False, factory=Counter)
    """Scores by `present`, or the reason why one is absent."""
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    async def score(self, inputs: Inputs) -> Score:
        """Returns the score of a trade within `timeout_ms`. Never raises."""
        score: Score = Absent(reason="timeout")
        try:
            with trio.move_on_after(self.timeout_ms / 1000):
                score = await self.scorer.score(inputs)
                if isinstance(score, Present) and not 0 <= score.probability <= 1:
                    raise ValueError(f"a probability of {score.probability}")
        except Exception as error:
            # Whatever goes wrong in a model: strategies that do not use it must not suffer.
            score = Absent(reason="error")
            held = self._log_limit.allows("error", trio.current_time())
            if held is not None:
                fields = {"trade_id": inputs.trade_id, "error": str(error), "more_since_last": held}
                _log.warning("no score, the scorer failed", extra=fields)
        self.results["present" if isinstance(score, Present) else score.reason] += 1
        return score
