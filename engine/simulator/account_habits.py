"""What synthetic traders do once a market is decided: most winners fetch their money, few losers tidy up."""

from collections.abc import Callable, Sequence

from engine.simulator.account_desk import AccountDesk
from engine.simulator.account_events import EventKind
from engine.simulator.holdings import Holdings
from engine.simulator.market import Market
from engine.simulator.seeds import generator
from engine.simulator.wire_numbers import MICRO

_LOSERS_TO_WINNERS = 0.15
_BATCHES = 6
_DELAY_S = (5.0, 600.0)
_REWARDED = 0.2
_REWARD_USD = (0.5, 400.0)
_REWARDS = (EventKind.MAKER_REBATE, EventKind.REWARD, EventKind.TAKER_REBATE)
Change = Callable[[int], None]


class AccountHabits:
    """Draws from a generator of its own: the rows of a seed are the same with or without it."""

    def __init__(self, desk: AccountDesk, *, seed: int, redeemed_share: float) -> None:
        self._desk = desk
        self._share = redeemed_share
        self._rng = generator(seed, "account habits")

    def after(
        self, market: Market, payouts: tuple[int, int], holdings: Holdings, houses: Sequence[str]
    ) -> list[tuple[float, Change]]:
        """Returns what happens after a verdict, each with how many seconds later: redemptions, and now and then a reward.

        Those who redeem do so in a few blocks, as many at once: their closes carry the same second.
        """
        rng = self._rng
        winners = {wallet for index, payout in enumerate(payouts) if payout for wallet in holdings.holders(index)}
        holders = dict.fromkeys([*holdings.holders(0), *holdings.holders(1)])
        batches: list[set[str]] = [set() for _ in range(_BATCHES)]
        for wallet in holders:
            share = self._share if wallet in winners else self._share * _LOSERS_TO_WINNERS
            if rng.random() < share:
                batches[rng.randrange(_BATCHES)].add(wallet)
        later = [(rng.uniform(*_DELAY_S), self._redemption(market, batch)) for batch in batches if batch]
        if houses and rng.random() < _REWARDED:
            usd_micro = round(rng.uniform(*_REWARD_USD) * MICRO)
            later.append((rng.uniform(*_DELAY_S), self._reward(rng.choice(houses), rng.choice(_REWARDS), usd_micro)))
        return later

    def _redemption(self, market: Market, wallets: set[str]) -> Change:
        def redeem(now_ms: int) -> None:
            self._desk.redeem(market, wallets, now_ms)

        return redeem

    def _reward(self, wallet: str, kind: EventKind, usd_micro: int) -> Change:
        def pay(now_ms: int) -> None:
            self._desk.pay(wallet, kind, usd_micro, now_ms)

        return pay
