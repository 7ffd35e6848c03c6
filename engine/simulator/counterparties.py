"""Invents the makers that a tape of takers does not contain (design.md §9): always wallets that do not occur in it."""

from collections.abc import Iterator
from decimal import Decimal

from engine.simulator.market import ONE
from engine.simulator.matches import MatchedFill
from engine.simulator.seeds import digest

_MAKERS = 400


class Counterparties:
    """Makers for single takers. The same tape and seed give the same makers."""

    def __init__(self, taken: frozenset[str], *, seed: int) -> None:
        self._seed = seed
        invented = (f"0x{digest('maker', seed, number)[:20].hex()}" for number in range(2 * _MAKERS))
        self._makers = [wallet for wallet in invented if wallet not in taken][:_MAKERS]

    def of(self, taker: MatchedFill, transaction_hash: str) -> Iterator[MatchedFill]:
        """Yields one to four makers that together took the other side, each at the taker's price.

        About three in five matches are mints or merges: maker and taker on the same side of the two tokens, prices
        adding up to one (29 of 49 recorded transactions).
        """
        draw = digest("match", self._seed, transaction_hash, taker.wallet, taker.size_micro)
        crosses_tokens = draw[0] < 152
        side = taker.side if crosses_tokens else ("SELL" if taker.side == "BUY" else "BUY")
        outcome_index = 1 - taker.outcome_index if crosses_tokens else taker.outcome_index
        price: Decimal = ONE - taker.price if crosses_tokens else taker.price
        for number, size_micro in enumerate(_shares(taker.size_micro, draw)):
            place = int.from_bytes(draw[8 + 2 * number : 10 + 2 * number], "big")
            yield MatchedFill(
                wallet=self._makers[_towards_first(place) % len(self._makers)],
                is_taker=False,
                side=side,
                market=taker.market,
                outcome_index=outcome_index,
                size_micro=size_micro,
                price=price,
            )


def _shares(size_micro: int, draw: bytes) -> list[int]:
    """Splits a size into one to four parts that add up to it, the larger the likelier several."""
    parts = 1 + sum(draw[1] > limit for limit in (150, 210, 240))
    if size_micro < 4_000_000:
        parts = 1
    weights = [1 + draw[2 + number] for number in range(parts)]
    sizes = [size_micro * weight // sum(weights) for weight in weights]
    sizes[0] += size_micro - sum(sizes)
    return sizes


def _towards_first(place: int) -> int:
    """Makes few makers frequent: the square of a uniform number."""
    return place * place * _MAKERS >> 32
