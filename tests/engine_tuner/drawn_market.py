"""A market drawn by a seed, where every bet pays at once: `Trials` that know what is true and play very fast."""

import random
from collections.abc import Callable, Mapping

import attrs

from actors.rules.tuner.parts import DAY_MS, parts_of
from engine.tuner.look import LookRules, look_at
from engine.tuner.passes import run_looks
from protocols.strategies import StrategySettings
from protocols.tuner_search import Bet, Finding, Played, Subject, Window

TODAY = 20_000
NOW_MS = TODAY * DAY_MS + 6 * 3_600_000
DAYS = 30
USD = 1_000_000
Edge = Callable[[float, float, int], float]
"""price, conviction, resolved count → how much likelier than its price a bet wins."""


@attrs.frozen
class Offer:
    day: int
    token: str
    price: float
    conviction: float
    resolved: int
    edge: float
    won: bool


@attrs.define(eq=False)
class DrawnMarket:
    offers: list[Offer]
    asked: list[Window] = attrs.field(factory=list)
    played: int = 0

    @classmethod
    def of(cls, seed: int, edge: Edge, *, a_day: int = 200, prices: tuple[float, float] = (0.05, 0.95)):
        rng, offers = random.Random(seed), []
        for day in range(TODAY - DAYS, TODAY):
            for number in range(a_day):
                price, conviction, resolved = rng.uniform(*prices), rng.expovariate(1), rng.randrange(400)
                seen = min(1.0, max(0.0, price + rng.gauss(0, 0.1))) - price * 1.003
                won = rng.random() < price + edge(price, conviction, resolved)
                offers.append(Offer(day, f"{day}.{number}", price, conviction, resolved, seen, won))
        return cls(offers)

    def play(self, candidates: Mapping[str, StrategySettings], window: Window) -> dict[str, Played]:
        self.asked.append(window)
        self.played += len(candidates)
        inside = [one for one in self.offers if window.since_ms <= one.day * DAY_MS < window.until_ms]
        return {
            name: Played(bets=[_bet(one) for one in inside if _taken(one, settings)])
            for name, settings in candidates.items()
        }


def _taken(offer: Offer, settings: StrategySettings) -> bool:
    return (
        float(settings.price_min) <= offer.price <= float(settings.price_max)
        and offer.resolved >= settings.min_trader_resolved_count
        and (settings.min_conviction is None or offer.conviction >= settings.min_conviction)
        and (settings.min_edge is None or offer.edge >= settings.min_edge)
    )


def _bet(offer: Offer) -> Bet:
    shares = 1 / offer.price
    return Bet(
        token_id=offer.token, day=offer.day, orders=1, wins=int(offer.won), staked_micro=USD,
        pnl_micro=round((shares * offer.won - 1) * USD), held_shares_micro=round(shares * USD), price=offer.price,
    )  # fmt: skip


def rules(seed: int, **changes) -> LookRules:
    found = LookRules(tries_max=90, screen_points=5, batch=30, orders_min=30, level=0.02, seed=seed, code_version="1")
    return attrs.evolve(found, **changes)


WIDE = StrategySettings(agent_managed=True, min_edge=None, min_trader_resolved_count=0)


def looked(market: DrawnMarket, seed: int, *, settings=WIDE, looks: int = 0, **changes) -> Finding:
    parts = parts_of(NOW_MS, days=DAYS, validation_days=9)
    subject = Subject(wallet_id="A", version=1, looks=looks)
    [found] = run_looks([look_at(subject, settings, parts, rules(seed, **changes))], market)
    return found


def planted(price: float, conviction: float, _resolved: int) -> float:
    """Worth copying between 0.3 and 0.6 by who is convinced; a loss everywhere else."""
    return 0.15 if 0.3 <= price <= 0.6 and conviction > 1 else -0.04


def fair(_price: float, _conviction: float, _resolved: int) -> float:
    return 0.0


def costly(price: float, _conviction: float, _resolved: int) -> float:
    """A loss of 3 % of the stake, wherever one bets."""
    return -0.03 * price
