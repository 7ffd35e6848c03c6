"""The price cache as a snapshot asks it, with what the venue would say."""

from decimal import Decimal

import attrs

from protocols.errors import TransientError
from protocols.prices import MarketFacts, PriceSource, Quote


@attrs.define
class Prices:
    """What the venue would say; `down` is when it says nothing."""

    by_market: dict = attrs.field(factory=dict)
    down: bool = False
    asked: list = attrs.field(factory=list)

    async def quotes(self, condition_ids, max_age_ms=0):
        self.asked.append((sorted(condition_ids), max_age_ms))
        if self.down:
            raise TransientError("no upstream answers")
        return {one: self.by_market[one] for one in condition_ids if one in self.by_market}

    def say(self, trade, *prices, stale=False, tokens=True):
        one = trade.trade
        token_ids = ("other", one.token_id) if tokens else ()
        facts = MarketFacts(
            condition_id=one.condition_id, outcomes=("No", "Yes"), token_ids=token_ids,
            outcome_prices=tuple(map(Decimal, prices)),
        )  # fmt: skip
        self.by_market[one.condition_id] = Quote(
            facts=facts, source=PriceSource.GAMMA, resolved=False, as_of_ms=0, observed_s=0, document=b"",
            stamp=b"", stale=stale,
        )  # fmt: skip
