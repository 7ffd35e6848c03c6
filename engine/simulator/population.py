"""The traders of the synthetic platform: many who come once, few who never sleep."""

from collections import OrderedDict

import attrs

from engine.simulator.distributions import Weighted
from engine.simulator.market import Market
from engine.simulator.seeds import digest
from protocols.clock import Random

# Fitted to the recorded windows: 71 % trade once in 90 minutes, the top 1 % make 16 % of trades, the top 10 % 41 %.
_ZIPF_EXPONENT = 0.8
_ZIPF_OFFSET = 3.0
_HOUSES = 6
_HOUSE_WEIGHTS = (10.0, 4.0, 3.0, 2.0, 1.0, 1.0)
_INTENTS_MAX = 5_000
_INTENT_S = 60.0
_REPEATS = 0.7


@attrs.frozen(kw_only=True)
class Intent:
    """What a trader was just doing, and may go on doing."""

    market: Market
    outcome_index: int
    side: str
    at_s: float


class Population:
    """Wallets, how often each trades, and what each last did."""

    def __init__(self, size: int, *, seed: int) -> None:
        self.wallets = [f"0x{digest('wallet', seed, number)[:20].hex()}" for number in range(size)]
        weights = [(number + _ZIPF_OFFSET) ** -_ZIPF_EXPONENT for number in range(size)]
        self._takers = Weighted(self.wallets, weights)
        # Professional makers: the first is the high-frequency leader whose fills are nearly all passive.
        self.houses = [f"0x{digest('house', seed, number)[:20].hex()}" for number in range(_HOUSES)]
        self._houses = Weighted(self.houses, _HOUSE_WEIGHTS)
        self._intents: OrderedDict[str, Intent] = OrderedDict()

    def taker(self, rng: Random) -> str:
        """Returns somebody who trades now; a house now and then."""
        return self._houses.draw(rng) if rng.random() < 0.01 else self._takers.draw(rng)

    def maker(self, rng: Random) -> str:
        """Returns somebody whose order was resting: a house in two of five cases."""
        return self._houses.draw(rng) if rng.random() < 0.4 else self._takers.draw(rng)

    def house(self, rng: Random) -> str:
        """Returns a professional, who can always sell because he splits collateral into both tokens."""
        return self._houses.draw(rng)

    def counterpart(self, taker: str, rng: Random) -> str:
        """Returns a professional who is not the taker."""
        return rng.choice([house for house in self.houses if house != taker])

    def intent(self, wallet: str, now_s: float, rng: Random) -> Intent | None:
        """Returns what a trader goes on doing: a third of a leader's rows repeat token and side within a minute."""
        intent = self._intents.get(wallet)
        if intent is None or now_s - intent.at_s > _INTENT_S:
            return None
        return intent if rng.random() < _REPEATS else None

    def remember(self, wallet: str, intent: Intent) -> None:
        """Notes what a trader just did."""
        self._intents[wallet] = intent
        self._intents.move_to_end(wallet)
        if len(self._intents) > _INTENTS_MAX:
            self._intents.popitem(last=False)
