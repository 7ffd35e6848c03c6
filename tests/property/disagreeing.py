"""Three targets of one strategy, and what they trade on both outcomes of a market."""

from property.deciding_world import DecidingWorld, trade
from property.made_decisions import TOKEN
from property.made_trades import wallet

from protocols.strategies import ConflictPolicy, EntryModel, TargetMode
from protocols.trades import LanedTrade

A, B, C = wallet(1), wallet(2), wallet(3)
OTHER = "987"
"""The outcome that is not `TOKEN`."""
LISTED = {"target_mode": TargetMode.LIST, "target_traders": (A, B, C), "entry_model": EntryModel.OBSERVED}
FIRST = LISTED | {"conflict_policy": ConflictPolicy.FIRST}


def one(number: int, who: str, token: str = TOKEN, shares: int = 25, **changes) -> LanedTrade:
    return trade(number, wallet=who, token_id=token, size_micro=shares * 1_000_000, **changes)


def reason(made: DecidingWorld, number: int, bot: int = 1) -> str:
    [found] = [reasons[bot] for reasons in made.reasons(f"trade-{number}").values() if bot in reasons]
    return found
