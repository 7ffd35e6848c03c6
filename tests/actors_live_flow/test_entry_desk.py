"""What is asked of the venue before a claim is committed: books of what the rules would let through, and no others."""

from decimal import Decimal

import pytest
import trio
from actors_live_flow.test_executor import FAST, MARKETS, World
from actors_live_flow.watched_venue import ACCOUNT
from actors_live_flow.watched_world import STRATEGY, strategy

from actors.live.commitments import Reserved
from protocols.live.orders import LiveIntent, Side
from protocols.live.settings import Halt, LiveSettings, LiveTable

LIMITS = LiveSettings(max_orders_per_minute=2)


def claim(world: World, number: int, age_s: float = 0.0) -> LiveIntent:
    now_ms = world.clock.now_ms()
    return LiveIntent(
        order_id=f"o{number}", strategy_id=STRATEGY, cause=f"trade{number}", side=Side.BUY, condition_id=MARKETS[FAST],
        token_id=FAST, signal_price=Decimal("0.5"), signal_ms=now_ms - round(age_s * 1000), decided_ms=now_ms,
    )  # fmt: skip


def warmed(*, spent: int = 0, age_s: float = 0.0, halt: Halt | None = None) -> World:
    """Tells the desk of ten claims of one market while a strategy has used a part of its minute."""
    world = World()

    async def main():
        registry = world.book.registry
        registry.table = LiveTable(version=1, strategies=[strategy(LIMITS)], halt=halt)
        registry.strategies = {STRATEGY: strategy(LIMITS)}
        for number in range(spent):
            world.book.reserve(
                Reserved(
                    order_id=f"earlier{number}", strategy_id=STRATEGY, account=ACCOUNT, condition_id=MARKETS[FAST],
                    event_slug=None, usd=Decimal(1), at_ms=world.clock.now_ms(),
                )
            )  # fmt: skip
        world.executor.desk.glance.warm([claim(world, number, age_s) for number in range(10)])
        await trio.sleep(0.5)

    return world.run(main)


@pytest.mark.parametrize("spent", [0, 1])
def test_book_and_terms_of_what_may_be_bought_come_before_the_claim_is_committed(spent):
    world = warmed(spent=spent)
    assert world.reader.calls == 2
    assert world.reader._books.keys() == {FAST}
    assert world.reader._terms.keys() == {MARKETS[FAST]}


@pytest.mark.parametrize(
    "refused",
    [
        {"spent": 2},
        {"age_s": LIMITS.max_signal_age_s + 1.0},
        {"halt": Halt(by="ops", reason="a test", since_ms=0)},
    ],
    ids=["orders of this minute", "age", "halt"],
)
def test_nothing_is_asked_of_the_venue_for_what_the_rules_refuse_whatever_it_costs(refused):
    assert warmed(**refused).reader.calls == 0
