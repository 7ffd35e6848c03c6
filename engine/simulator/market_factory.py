"""Opens synthetic markets: coin flips of minutes, games of hours, questions of weeks."""

import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal

import attrs

from engine.simulator.distributions import PRICE
from engine.simulator.labels import CATEGORIES, CITIES, CLUBS, COINS, PLAYERS, QUESTIONS
from engine.simulator.market import Market, MarketDirectory
from engine.simulator.seeds import hash_hex
from protocols.clock import Random

_ICONS = "https://polymarket-upload.s3.us-east-2.amazonaws.com"
_FEES = {
    "crypto": Decimal("0.07"),
    "sports": Decimal("0.05"),
    "politics": Decimal("0.04"),
    "mentions": Decimal("0.04"),
    "tech": Decimal("0.04"),
}
_FEE_OTHER = Decimal("0.05")
_FINE_TICK = Decimal("0.001")
_COARSE_TICK = Decimal("0.01")
_GAME_FROM = 0.3
_COIN_MINUTES = (5, 5, 5, 15, 15, 60)


@attrs.frozen(kw_only=True)
class _Draft:
    question: str
    slug: str
    event_slug: str
    category: str
    outcomes: tuple[str, str]
    life_s: float
    negative_risk: bool = False
    game_from: float | None = None
    """The part of its life after which the game begins."""


class MarketFactory:
    """Makes markets with names, tokens and ends; all from one generator."""

    def __init__(self, directory: MarketDirectory, *, rng: Random, life_scale: float) -> None:
        self._directory = directory
        self._rng = rng
        self._life_scale = life_scale

    def open(self, opens_ms: int, *, age: float = 0.0, listed_ms: int | None = None) -> Market:
        """Returns a new market; `age` is the part of its life that is over when it opens, `listed_ms` when it became known."""
        rng = self._rng
        draft = rng.choice((self._coin, self._game, self._game, self._total, self._question, self._question))(opens_ms)
        life_ms = round(draft.life_s * self._life_scale * 1000)
        life_from_ms = opens_ms - round(life_ms * age)
        market = Market(
            market_id=self._directory.next_id(),
            condition_id=hash_hex(rng),
            question=draft.question,
            slug=f"{draft.slug}-{rng.randrange(10_000)}",
            event_slug=draft.event_slug,
            icon=f"{_ICONS}/{draft.category}-{rng.randrange(1 << 40):010x}.png",
            category=draft.category,
            outcomes=draft.outcomes,
            token_ids=(str(rng.getrandbits(256)), str(rng.getrandbits(256))),
            negative_risk=draft.negative_risk,
            fee_rate=_FEES.get(draft.category, _FEE_OTHER),
            taker_delay=draft.category == "crypto",
            start_ms=life_from_ms if listed_ms is None else listed_ms,
            end_ms=life_from_ms + life_ms,
            game_start_ms=None if draft.game_from is None else life_from_ms + round(life_ms * draft.game_from),
        )
        market.price = Decimal(f"{PRICE.draw(rng):.3f}")
        adjust_tick(market)
        return market

    def _coin(self, now_ms: int) -> _Draft:
        name, short = self._rng.choice(COINS)
        minutes = self._rng.choice(_COIN_MINUTES)
        slug = f"{short}-updown-{minutes}m-{now_ms // 1000}"
        return _Draft(
            question=f"{name} Up or Down - {_day(now_ms)}, {minutes} minutes",
            slug=slug,
            event_slug=slug,
            category="crypto",
            outcomes=("Up", "Down"),
            life_s=minutes * 60.0,
        )

    def _game(self, now_ms: int) -> _Draft:
        rng = self._rng
        if rng.random() < 0.35:
            home, away = rng.sample(PLAYERS, 2)
        else:
            home, away = (f"{city} {rng.choice(CLUBS)}" for city in rng.sample(CITIES, 2))
        slug = slug_of(f"{home} vs {away} {_date(now_ms)}")
        if rng.random() < 0.3:
            return _Draft(
                question=f"Will {home} win on {_date(now_ms)}?",
                slug=f"{slug}-home",
                event_slug=slug,
                category="sports",
                outcomes=("Yes", "No"),
                life_s=rng.uniform(1_800, 10_800),
                negative_risk=True,
                game_from=_GAME_FROM,
            )
        return _Draft(
            question=f"{home} vs. {away}",
            slug=slug,
            event_slug=slug,
            category="sports",
            outcomes=(home, away),
            life_s=rng.uniform(1_800, 10_800),
            game_from=_GAME_FROM,
        )

    def _total(self, now_ms: int) -> _Draft:
        rng = self._rng
        home, away = rng.sample(CITIES, 2)
        line = rng.randrange(1, 9) + 0.5
        slug = slug_of(f"{home} {away} {_date(now_ms)}")
        return _Draft(
            question=f"{home} vs. {away}: O/U {line}",
            slug=f"{slug}-total-{line}".replace(".", "pt"),
            event_slug=slug,
            category="sports",
            outcomes=("Over", "Under"),
            life_s=rng.uniform(1_800, 10_800),
            game_from=_GAME_FROM,
        )

    def _question(self, now_ms: int) -> _Draft:
        rng = self._rng
        question = rng.choice(QUESTIONS).format(
            month=rng.choice(("December", "January", "March")),
            day=_day(now_ms),
            city=rng.choice(CITIES),
            player=rng.choice(PLAYERS),
            number=rng.randrange(2, 60),
        )
        slug = slug_of(question)
        return _Draft(
            question=question,
            slug=slug,
            event_slug=slug,
            category=rng.choice(CATEGORIES),
            outcomes=("Yes", "No"),
            life_s=rng.uniform(2, 60) * 86_400,
        )


def adjust_tick(market: Market) -> None:
    """Makes the tick finer near 0 and 1, for good (venue.md §2.1)."""
    if not Decimal("0.04") <= market.price <= Decimal("0.96"):
        market.tick_size = _FINE_TICK
    elif market.last_trade_price is None:
        market.tick_size = _COARSE_TICK


def slug_of(text: str) -> str:
    """Returns lower-case ASCII words joined by hyphens, as the venue's slugs are."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def _day(now_ms: int) -> str:
    return datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%B %d").replace(" 0", " ")


def _date(now_ms: int) -> str:
    return datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%d")
