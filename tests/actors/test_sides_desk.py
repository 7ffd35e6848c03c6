import attrs
import pytest
import trio
from property.deciding_world import VirtualWall, trade
from property.made_decisions import TOKEN
from property.made_trades import NOON_S, condition, wallet
from property.supervised import run_jumping

from actors import sides_desk
from actors.rules.strategy.crowds import STANCE_MS, fill_of_trade
from actors.sides_desk import SidesDesk
from protocols.clock import Random
from protocols.conflicts import Circle, MarketFill
from protocols.errors import TransientError

A, B, C = wallet(1), wallet(2), wallet(3)
MARKET, OTHER = condition(7), condition(8)
BOTH = Circle(frozenset({A, B}))


def one(number, who=A, market=MARKET):
    return trade(number, wallet=who, condition_id=market, token_id=TOKEN).trade


@attrs.define
class Stored:
    """`MarketFills` of some trades; it fails so often."""

    trades: list = attrs.field(factory=list)
    fails: int = 0
    asked: list = attrs.field(factory=list)
    takes_s: float = 0.0

    async def market_fills(self, condition_ids, *, since_ms, wallets, fills_max) -> list[MarketFill]:
        found = [fill_of_trade(one) for one in self.trades if one.condition_id in condition_ids]
        await trio.sleep(self.takes_s)
        self.asked.append((tuple(condition_ids), since_ms, wallets, fills_max))
        if self.fails:
            self.fails -= 1
            raise TransientError("database down")
        return found


def ids(made, market=MARKET, upto=()):
    fills = made.fills_up_to(market, upto)
    return None if fills is None else [fill.trade_id for fill in fills]


def played(scenario, stored=None, circles=(BOTH,)):
    made = SidesDesk(store=stored or Stored(), clock=VirtualWall(), rng=Random(1))
    made.follow(circles)

    async def main():
        async with trio.open_nursery() as nursery:
            await nursery.start(made.run)
            await scenario(made)
            nursery.cancel_scope.cancel()

    run_jumping(main)
    return made


async def fetched(made, market=MARKET, within_s=5.0):
    await made.fetch(market, deadline_s=trio.current_time() + within_s)


def test_what_is_stored_comes_before_what_came_since_and_nothing_twice():
    async def scenario(made):
        made.note(one(2))
        made.note(one(3))
        assert ids(made) is None, "what was stored before is not known yet"
        await fetched(made)
        assert ids(made) == ["trade-1", "trade-2", "trade-3"]
        made.note(one(3))
        made.note(one(4))
        assert ids(made) == ["trade-1", "trade-2", "trade-3", "trade-4"]
        assert ids(made, upto={"trade-3", "trade-1"}) == ["trade-1", "trade-2", "trade-3"]
        assert ids(made, upto={"never seen"}) == ids(made)

    played(scenario, Stored([one(1), one(2)]))


def test_a_trade_that_comes_while_the_store_is_read_is_kept():
    async def scenario(made):
        made.note(one(5))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fetched, made)
            await trio.sleep(0.5)
            made.note(one(6))
        assert ids(made) == ["trade-1", "trade-5", "trade-6"]

    played(scenario, Stored([one(1)], takes_s=1.0))


def test_only_those_who_may_count_are_kept_and_asked_for():
    async def scenario(made):
        made.note(one(1, C))
        made.note(one(2, B))
        await fetched(made)
        assert ids(made) == ["trade-2"]

    stored = Stored()
    played(scenario, stored)
    [(markets, since_ms, wallets, _)] = stored.asked
    assert (markets, wallets) == ((MARKET,), {A, B})
    assert since_ms == NOON_S * 1000 - STANCE_MS


def test_other_targets_are_read_again_and_the_same_ones_are_not():
    async def scenario(made):
        await fetched(made)
        made.follow([Circle(frozenset({B, A}))])
        assert made.knows(MARKET)
        made.follow([BOTH, Circle(None)])
        assert not made.knows(MARKET)
        await fetched(made)
        assert made.knows(MARKET)
        assert stored.asked[-1][2] is None, "everybody's"
        made.follow([])
        assert made.is_idle

    stored = Stored()
    played(scenario, stored)
    assert len(stored.asked) == 2


def test_a_database_that_is_down_is_asked_again_and_nobody_waits_longer_than_he_said():
    async def scenario(made):
        began_s = trio.current_time()
        await fetched(made, within_s=0.1)
        assert trio.current_time() - began_s == pytest.approx(0.1)
        assert not made.knows(MARKET)
        await fetched(made, within_s=60)
        assert ids(made) == ["trade-1"]

    assert played(scenario, Stored([one(1)], fails=2)).failures == 2


def test_memory_is_bounded_by_market_and_in_all(monkeypatch):
    monkeypatch.setattr(sides_desk, "MARKET_FILLS_MAX", 3)
    monkeypatch.setattr(sides_desk, "FILLS_MAX", 5)
    monkeypatch.setattr(sides_desk, "MARKETS_MAX", 10)

    async def scenario(made):
        await fetched(made)
        await fetched(made, OTHER)
        for number in range(5):
            made.note(one(number))
        assert ids(made) == ["trade-2", "trade-3", "trade-4"]
        for number in range(10, 13):
            made.note(one(number, market=OTHER))
            assert len(made) <= 5
        assert not made.knows(MARKET), "nothing came of it for the longest time"
        assert ids(made, OTHER) == ["trade-10", "trade-11", "trade-12"]
        await fetched(made)
        assert ids(made) == [], "it is read again when it is asked for"
        for number in range(20):
            made.note(one(100 + number, market=condition(100 + number)))
            assert len(made) <= 5

    played(scenario)
