"""What a score costs: `python -m tests.bench.score_cost`, one JSON object, microseconds of processor time a trade.

The largest models that training makes, on trades of a trader with results in every kind of market. Beside it, in the same run:
the snapshot that is written of every decision anyhow, and LightGBM's own answer for one row where it is installed.
"""

import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from actors.rules.market_kind import NICHES
from actors.rules.score.features import STRUCTURES, feature_vector
from actors.rules.score.model import read_model
from engine.training.fit_boosted import LEAVES, TREES_MAX
from protocols.decisions import Inputs, MarketInput, Present, ProfileRecord, TraderRecord, WindowRecord
from tests.score.made_models import boosted_document, logistic_document, text_of

CALLS, ROUNDS = 2_000, 7
NOW_MS = 1_780_000_000_000


def trades(niches: int) -> list[Inputs]:
    """Returns trades of a trader with results in so many niches, in three structures and all brackets."""
    window = WindowRecord(
        resolved_count=300,
        win_rate=Decimal("0.561234"),
        trade_count=400,
        avg_trade_usd=Decimal("153.21"),
        roi=Decimal("0.08"),
    )
    profiles = tuple(
        ProfileRecord(
            niche=niche, structure=structure, bracket=bracket, resolved_count=12, win_rate=Decimal("0.583333")
        )
        for niche in NICHES[:niches]
        for structure in STRUCTURES[:3]
        for bracket in ("LOW", "MID", "HIGH")
    )
    trader = TraderRecord(lifetime=window, d30=window, d7=window, profiles=profiles)
    return [
        Inputs(
            trade_id=f"t{number}", wallet="0x" + "a" * 40, token_id="1" * 77, condition_id="0x" + "c" * 64, side="BUY",
            price=Decimal(number % 97 + 1) / 100, size_micro=10**8 + number, trade_ms=NOW_MS, now_ms=NOW_MS, outcome="Yes",
            market=MarketInput(condition_id="0x" + "c" * 64, niche=NICHES[number % 4], structure=STRUCTURES[number % 3],
                               end_ms=NOW_MS + number * 60_000, game_start_ms=NOW_MS - 5 * 60_000),
            trader=trader,
        )
        for number in range(CALLS)
    ]  # fmt: skip


def cost_us(work: Callable[[Any], object], items: list[Any]) -> float:
    """Returns the least that one call took in some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began_s = time.process_time()
        for item in items:
            work(item)
        best = min(best, time.process_time() - began_s)
    return best / len(items) * 1e6


def main() -> dict[str, Any]:
    """Returns the figures."""
    boosted = boosted_document(1, trees=TREES_MAX, leaves=LEAVES)
    usual, many = trades(3), trades(len(NICHES))
    models = {"logistic": read_model(text_of(logistic_document())), "boosted": read_model(text_of(boosted))}
    assert all(isinstance(model.score(usual[0]), Present) for model in models.values())
    found: dict[str, Any] = {"features": cost_us(feature_vector, usual)}
    for name, model in models.items():
        found[name] = cost_us(model.score, usual)
        found[f"{name}_180_profiles"] = cost_us(model.score, many)
    found["snapshot"] = cost_us(msgspec.json.encode, usual)
    return {name: round(value, 1) for name, value in found.items()}


if __name__ == "__main__":
    print(json.dumps(main()))
