"""Live mirrors of strategies whose targets disagree: what they are told to buy, and that they always sell."""

from decimal import Decimal

import pytest
import trio
from property.deciding_world import DecidingWorld
from property.disagreeing import FIRST, LISTED, OTHER, A, B, C, one, reason
from property.made_decisions import TOKEN, strategy
from property.made_trades import condition

from protocols.live.holdings import LiveCopy, NoLiveHoldings
from protocols.live.settings import LiveSettings, LiveStrategy
from protocols.strategies import ConflictPolicy


def mirrored(*steps, live=(), paper=None, pause_s=1.0):
    """A strategy with a live mirror; `live` is what that holds. Returns the world and the trades with intents."""
    made = DecidingWorld([paper or strategy(**FIRST)])
    mirror = LiveStrategy(
        strategy_id="LT_1", user_id="u", ft_wallet_id="BOT_1", account="main", is_active=True, is_paused=False, version=1,
        settings=LiveSettings(), ft_settings=made.strategies[0].settings, ft_version=1,
    )  # fmt: skip

    async def play(world):
        maker = world.forward.tester.maker
        maker.mirrors = maker.conflicts.mirrors = lambda wallet_id: [mirror] if wallet_id == "BOT_1" else []
        maker.conflicts.live = HeldLive(live)
        for step in steps:
            await world.send(step)
            await trio.sleep(pause_s)

    made.run(play)
    return made, [d.trade_id for d in made.decisions() if d.intents]


class HeldLive(NoLiveHoldings):
    """Live positions that were there before."""

    def __init__(self, held):
        self.held = held

    def copies(self):
        return self.held


def test_a_mirror_is_told_to_buy_only_what_the_policy_lets_pass():
    made, intents = mirrored(one(1, A), one(2, B, OTHER), one(3, B))
    assert intents == ["trade-1", "trade-3"]
    assert reason(made, 2) == "conflict_first"


def test_what_a_mirror_is_about_to_buy_counts_though_the_paper_strategy_has_no_cash():
    poor = strategy(**FIRST | {"starting_balance": Decimal(5)})
    made, intents = mirrored(one(1, A), one(2, B, OTHER), one(3, C), paper=poor, pause_s=0.0)
    assert [reason(made, number) for number in (1, 2, 3)] == [
        "insufficient_cash", "conflict_first", "insufficient_cash"
    ]  # fmt: skip
    assert intents == ["trade-1", "trade-3"]


def test_what_a_mirror_holds_counts():
    held = [LiveCopy("BOT_1", A, condition(7), TOKEN), LiveCopy("BOT_2", C, condition(7), OTHER)]
    made, intents = mirrored(one(1, B, OTHER), one(2, B), one(3, A, OTHER), live=held)
    assert [reason(made, number) for number in (1, 2, 3)] == ["conflict_first", "taken", "conflict_first"]
    assert intents == ["trade-2"]


@pytest.mark.parametrize(
    "policy",
    [
        {"conflict_policy": ConflictPolicy.MAJORITY},
        {"conflict_policy": ConflictPolicy.NET},
        {"max_targets_per_side": 1},
        {"max_event_exposure_usd": Decimal(0)},
    ],
)
def test_no_policy_keeps_a_mirror_from_selling(policy):
    others = [one(1, B, OTHER, shares=900), one(2, C, OTHER, shares=900), one(3, B), one(4, A)]
    made, intents = mirrored(*others, one(5, A, side="SELL"), paper=strategy(**LISTED | policy))
    assert "trade-4" not in intents
    [sale] = [d for d in made.decisions() if d.trade_id == "trade-5"]
    assert sale.exit_signal.ft_wallet_ids == ("BOT_1",)
