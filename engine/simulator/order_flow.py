"""Makes one match after another out of a population and its markets."""

from collections.abc import Callable
from decimal import Decimal

from engine.simulator.distributions import NOTIONAL_USD, makers_count
from engine.simulator.holdings import Holdings
from engine.simulator.market import ONE, Market
from engine.simulator.market_factory import adjust_tick
from engine.simulator.matches import Match, MatchedFill
from engine.simulator.population import Intent, Population
from engine.simulator.seeds import hash_hex
from engine.simulator.wire_numbers import EXACT
from protocols.clock import Random

_MINT, _TAKE_ASK, _TAKE_BID, _MERGE = range(4)
# Mint 29 of 49 recorded transactions; buyers are 68 to 82 % of the rows.
_KINDS = (_MINT,) * 55 + (_TAKE_ASK,) * 25 + (_TAKE_BID,) * 15 + (_MERGE,) * 5
_SEVERAL_LEVELS = 0.75
_TWINS = 0.09
_TAKER_TO_ROW = 1.6
_CENT_MICRO = 10_000
_Part = tuple[str, int]
_Level = tuple[str, int, Decimal]


class OrderFlow:
    """Chooses who trades what at which price, and keeps everybody's holdings."""

    def __init__(
        self,
        population: Population,
        any_market: Callable[[], Market],
        is_open: Callable[[Market], bool],
        *,
        rng: Random,
    ) -> None:
        self._population = population
        self._any_market = any_market
        self._is_open = is_open
        self._rng = rng
        self._holdings: dict[str, Holdings] = {}
        self._anchors: dict[str, Decimal] = {}

    def forget(self, market: Market) -> Holdings:
        """Drops the holdings of a market that is over, and returns them."""
        self._anchors.pop(market.condition_id, None)
        return self._holdings.pop(market.condition_id, None) or Holdings()

    def match(self, now_s: float, repeat: Match | None = None) -> Match:
        """Returns a match: somebody's new one, or the same taker going on with what he did in `repeat`."""
        rng = self._rng
        if repeat is not None:
            taker = repeat.fills[0]
            return self._match(taker.wallet, taker.market, taker.outcome_index, taker.side, now_s)
        wallet = self._population.taker(rng)
        intent = self._population.intent(wallet, now_s, rng)
        if intent is not None and self._is_open(intent.market):
            return self._match(wallet, intent.market, intent.outcome_index, intent.side, now_s)
        market = self._any_market()
        outcome_index = rng.randrange(2)
        side = "BUY" if rng.choice(_KINDS) in (_MINT, _TAKE_ASK) else "SELL"
        return self._match(wallet, market, outcome_index, side, now_s)

    def _match(self, wallet: str, market: Market, outcome_index: int, side: str, now_s: float) -> Match:
        rng = self._rng
        holdings = self._holdings.setdefault(market.condition_id, Holdings())
        price = self._next_price(market, outcome_index)
        # The figures are those of rows: a taker's is the sum of its makers', and below 15 cents the makers pay most.
        value_usd = NOTIONAL_USD.draw(rng) * _TAKER_TO_ROW
        size_micro = max(_CENT_MICRO, round(value_usd / max(float(price), 0.15) * 100) * _CENT_MICRO)
        if side == "SELL":
            seller = wallet if holdings.amount(wallet, outcome_index) > 0 else holdings.any_holder(outcome_index, rng)
            if seller is None:
                side = "BUY"
            else:
                wallet = seller
                size_micro = min(size_micro, holdings.amount(wallet, outcome_index))
        maker_side, maker_outcome, parts = self._makers(wallet, holdings, outcome_index, side, size_micro)
        levels = self._levels(market, price, side, parts)
        fills = [
            MatchedFill(
                wallet=wallet,
                is_taker=True,
                side=side,
                market=market,
                outcome_index=outcome_index,
                size_micro=size_micro,
                price=average_price([(size, level) for _, size, level in levels]),
            )
        ]
        for maker, size, level in levels:
            fills.append(
                MatchedFill(
                    wallet=maker,
                    is_taker=False,
                    side=maker_side,
                    market=market,
                    outcome_index=maker_outcome,
                    size_micro=size,
                    price=level if maker_outcome == outcome_index else ONE - level,
                )
            )
        for fill in fills:
            holdings.add(fill.wallet, fill.outcome_index, fill.size_micro if fill.side == "BUY" else -fill.size_micro)
        self._population.remember(wallet, Intent(market=market, outcome_index=outcome_index, side=side, at_s=now_s))
        return Match(transaction_hash=hash_hex(rng), fills=tuple(fills))

    def _makers(
        self, taker: str, holdings: Holdings, outcome_index: int, side: str, size_micro: int
    ) -> tuple[str, int, list[_Part]]:
        """Returns the makers' side and outcome, and who took how much."""
        rng = self._rng
        sizes = self._split(size_micro)
        crosses = rng.random() < (0.69 if side == "BUY" else 0.25)
        maker_side = side if crosses else ("SELL" if side == "BUY" else "BUY")
        maker_outcome = 1 - outcome_index if crosses else outcome_index
        parts: list[_Part] = []
        for size in sizes:
            buys = maker_side == "BUY"
            maker = self._population.maker(rng) if buys else self._seller(holdings, maker_outcome, size, parts)
            # Nobody trades with himself.
            parts.append((maker if maker != taker else self._population.counterpart(taker, rng), size))
        if len(parts) > 1 and maker_side == "BUY" and rng.random() < _TWINS:
            # Two orders of one wallet, alike in everything: no key tells their rows apart.
            half, odd = divmod(parts[0][1] + parts[1][1], 2)
            if not odd:
                parts[0] = parts[1] = (parts[0][0], half)
        return maker_side, maker_outcome, parts

    def _seller(self, holdings: Holdings, outcome_index: int, size_micro: int, parts: list[_Part]) -> str:
        """Returns a holder who still has enough, or else a house."""
        holder = holdings.any_holder(outcome_index, self._rng)
        if holder is None:
            return self._population.house(self._rng)
        promised = sum(size for who, size in parts if who == holder)
        enough = holdings.amount(holder, outcome_index) >= promised + size_micro
        return holder if enough else self._population.house(self._rng)

    def _split(self, size_micro: int) -> list[int]:
        rng = self._rng
        count = min(makers_count(rng), max(1, size_micro // (100 * _CENT_MICRO)))
        if count == 1:
            return [size_micro]
        weights = [rng.uniform(0.2, 2.0) for _ in range(count)]
        total = sum(weights)
        sizes = [max(_CENT_MICRO, int(size_micro * weight / total) // _CENT_MICRO * _CENT_MICRO) for weight in weights]
        sizes[-1] += size_micro - sum(sizes)
        return sizes

    def _levels(self, market: Market, price: Decimal, side: str, parts: list[_Part]) -> list[_Level]:
        """Returns the makers with prices of the taker's outcome: the best first, several levels in most sweeps."""
        worse = market.tick_size if side == "BUY" else -market.tick_size
        several = len(parts) > 1 and self._rng.random() < _SEVERAL_LEVELS
        levels: list[_Level] = []
        level = price
        for place, (maker, size) in enumerate(parts):
            twin = place > 0 and parts[place - 1] == (maker, size)
            if several and place > 0 and not twin and self._rng.random() < 0.7:
                level = min(max(level + worse, market.tick_size), ONE - market.tick_size)
            levels.append((maker, size, level))
        return levels

    def _next_price(self, market: Market, outcome_index: int) -> Decimal:
        """Returns the next price on the tick: a walk that is drawn back to where the market began."""
        rng = self._rng
        anchor = self._anchors.setdefault(market.condition_id, market.price)
        adjust_tick(market)
        tick = market.tick_size
        width = float(min(market.price, ONE - market.price)) * 0.06 + 0.0005
        drift = float(anchor - market.price) * 0.05
        wanted = market.price + Decimal(f"{rng.gauss(drift, width):.6f}")
        price = (wanted / tick).to_integral_value() * tick
        price = min(max(price, tick), ONE - tick)
        return price if outcome_index == 0 else ONE - price


def average_price(levels: list[tuple[int, Decimal]]) -> Decimal:
    """Returns the average of (size, price) weighted by size, to 19 decimals at most, as the feeds print it."""
    total = sum(size for size, _ in levels)
    value = sum((size * price for size, price in levels), Decimal(0))
    average = EXACT.divide(value, Decimal(total))
    exponent = average.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -18:
        average = average.quantize(Decimal(1).scaleb(-18), context=EXACT)
    return average.normalize(EXACT)
