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

    def at_hand(self, inputs: Inputs) -> Score | None:
        """Returns a score that needs no waiting. Never raises: a scorer that fails is asked again, and that is reported."""
        try:
            score = self.scorer.at_hand(inputs)
            if score is not None:
                self._checked(score)
                self._count(score)
        except Exception:
            return None
        return score

    async def score(self, inputs: Inputs) -> Score:
        """Returns the score of a trade within `timeout_ms`. Never raises."""
        score: Score = Absent(reason="timeout")
        try:
            with trio.move_on_after(self.timeout_ms / 1000):
                score = self._checked(await self.scorer.score(inputs))
        except Exception as error:
            # Whatever goes wrong in a model: strategies that do not use it must not suffer.
            score = Absent(reason="error")
            held = self._log_limit.allows("error", trio.current_time())
            if held is not None:
                fields = {"trade_id": inputs.trade_id, "error": str(error), "more_since_last": held}
                _log.warning("no score, the scorer failed", extra=fields)
        self._count(score)
        return score

    def _count(self, score: Score) -> None:
        self.results["present" if isinstance(score, Present) else score.reason] += 1

    @staticmethod
    def _checked(score: Score) -> Score:
        if isinstance(score, Present) and not 0 <= score.probability <= 1:
            raise ValueError(f"a probability of {score.probability}")
        return score
