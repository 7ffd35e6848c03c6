from decimal import Decimal

import attrs
import trio
from actors_live_flow.watched_venue import ACCOUNT, STRATEGY
from actors_live_flow.watched_world import Watched
from property.fake_markets import FakeMarketStore
from property.supervised import run_jumping, supervisor

from actors.live.live_settler import LiveSettler
from engine.runtime.supervisor import Child
from protocols.clock import Random
from protocols.errors import TransientError
from protocols.live.exits import Lot
from protocols.live.money import LiveBalance
from protocols.live.ports import Settled, SettledLot
from protocols.live.watching import AwaitedRedemption
from protocols.venue.gamma import market_from
from protocols.venue.market_input import market_input


def condition(number):
    return f"0x{number:063x}1"


def market(number, *, prices='["1", "0"]', closed=True):
    return market_from(
        {
            "conditionId": condition(number), "outcomes": '["Yes", "No"]', "closed": closed, "outcomePrices": prices,
            "clobTokenIds": f'["{number}-0", "{number}-1"]', "umaResolutionStatus": "resolved" if closed else None,
        }
    )  # fmt: skip


@attrs.define(eq=False)
class Money:
    """The part of `LiveOrderStore` that settling needs, and every other port of it."""

    lots: dict[str, Lot] = attrs.field(factory=dict)
    rows: FakeMarketStore = attrs.field(factory=FakeMarketStore)
    markets_there: dict[str, object] = attrs.field(factory=dict)
    queue: list[AwaitedRedemption] = attrs.field(factory=list)
    released: list[tuple[float, tuple]] = attrs.field(factory=list)
    settlements: list[SettledLot] = attrs.field(factory=list)
    asked: list[list[str]] = attrs.field(factory=list)
    down: bool = False

    async def open_markets(self, after, markets_max):
        await trio.lowlevel.checkpoint()
        if self.down:
            raise TransientError("database down")
        tokens = {}
        for lot in self.lots.values():
            tokens.setdefault(lot.condition_id, set()).add(lot.token_id)
        return [(id_, frozenset(tokens[id_])) for id_ in sorted(tokens) if id_ > after][:markets_max]

    async def settle(self, payouts, now_ms: int):
        await trio.lowlevel.checkpoint()
        paid = {token: usd for one in payouts for token, usd in one.by_token.items()}
        found = []
        for lot in [lot for lot in self.lots.values() if lot.token_id in paid]:
            del self.lots[lot.order_id]
            value = lot.shares * paid[lot.token_id]
            outcome = "WON" if paid[lot.token_id] == 1 else "LOST"
            found.append(
                SettledLot(
                    order_id=lot.order_id, strategy_id=lot.strategy_id, condition_id=lot.condition_id, outcome=outcome,
                    value=value, pnl=value - lot.cost,
                )
            )  # fmt: skip
            if value:
                waits = AwaitedRedemption(
                    strategy_id=lot.strategy_id, condition_id=lot.condition_id, token_id=lot.token_id
                )
                self.queue.append(waits)
        self.settlements += found
        return Settled(lots=tuple(found), balances=(), exits=())

    async def release(self, now_ms, redeemed=()):
        await trio.lowlevel.checkpoint()
        self.released.append((trio.current_time(), tuple(redeemed)))
        self.queue = [one for one in self.queue if (one.strategy_id, one.condition_id) not in set(redeemed)]
        version = len(self.released) + 1
        return (LiveBalance(strategy_id=STRATEGY, initial=Decimal(1), available=Decimal(1), version=version),)

    async def awaited(self, tokens_max, after):
        await trio.lowlevel.checkpoint()
        tokens = sorted({one.token_id for one in self.queue if one.token_id > after})[:tokens_max]
        return sorted((one for one in self.queue if one.token_id in tokens), key=lambda one: one.token_id)

    async def find(self, condition_ids):
        return {id_: market_input(self.rows.stored[id_], 0) for id_ in condition_ids if id_ in self.rows.stored}

    async def markets(self, condition_ids, *, closed):
        self.asked.append(list(condition_ids))
        found = [self.markets_there[id_] for id_ in condition_ids if id_ in self.markets_there]
        return [one for one in found if closed is None or one.closed is closed]

    async def payouts(self, condition_ids):
        return {}


def held(number, index=0, *, shares="10"):
    return Lot(
        order_id=f"{number}-{index}", strategy_id=STRATEGY, trader=None, condition_id=condition(number),
        token_id=f"{number}-{index}", signal_ms=0, bought_ms=0, shares=Decimal(shares), cost=Decimal(4),
    )  # fmt: skip


@attrs.define(eq=False)
class World:
    lots: list[Lot]
    money: Money = attrs.field(factory=Money)
    watched: Watched = attrs.field(factory=Watched)
    told: list[Settled] = attrs.field(factory=list)
    settler: LiveSettler = attrs.field(init=False)

    def __attrs_post_init__(self):
        self.money.lots = {one.order_id: one for one in self.lots}
        money, watched = self.money, self.watched
        self.settler = LiveSettler(
            store=money, redemptions=money, stored=money, markets=money.rows, catalog=money, resolutions=money,
            accounts={ACCOUNT: watched.venue}, book=watched.book, clock=watched.clock, rng=Random(6), interval_s=30,
            settled=self.told.append,
        )  # fmt: skip

    def run(self, main):
        async def during():
            keeper = supervisor()
            self.watched.load(lots=self.lots)
            async with trio.open_nursery() as nursery:
                await nursery.start(keeper.keep_alive, Child(name="s", run=self.settler.run), keeper.policy)
                await main()
                nursery.cancel_scope.cancel()

        run_jumping(during)
        return self


def test_positions_of_resolved_markets_are_settled_and_leave_memory():
    world = World([held(1), held(1, 1), held(2)])

    async def main():
        world.money.markets_there = {condition(1): market(1), condition(2): market(2, closed=False)}
        await trio.sleep(1)
        assert [lot.order_id for lot in world.watched.book.lots()] == ["2-0"]
        # The next one is stored as resolved by somebody else: it costs no call.
        asked = len(world.money.asked)
        world.money.rows.stored[condition(2)] = market(2)
        await trio.sleep(60)
        assert len(world.money.asked) == asked

    world.run(main)
    assert {(one.order_id, one.outcome, one.pnl) for one in world.money.settlements} == {
        ("1-0", "WON", 6), ("1-1", "LOST", -4), ("2-0", "WON", 6),
    }  # fmt: skip
    assert [len(one.lots) for one in world.told] == [2, 1]
    assert world.settler.settled_by_outcome == {"WON": 2, "LOST": 1}


def test_what_has_cooled_down_is_released_each_five_seconds_and_the_book_knows():
    world = World([])

    async def main():
        await trio.sleep(100)

    world.run(main)
    times = [at_s for at_s, _ in world.money.released]
    assert 17 <= len(times) <= 24
    assert world.watched.book.balances[STRATEGY].version == len(times) + 1


def test_value_begins_to_cool_down_when_the_account_holds_the_token_no_more():
    world = World([held(1), held(2)])

    async def main():
        world.money.markets_there = {condition(n): market(n) for n in (1, 2)}
        world.watched.venue.held_micro = {"1-0": 10_000_000, "2-0": 10_000_000}
        await trio.sleep(200)
        assert not [pairs for _, pairs in world.money.released if pairs]
        assert world.settler.awaited == 2
        world.watched.venue.held_micro["1-0"] = 0
        await trio.sleep(70)

    world.run(main)
    assert [pairs for _, pairs in world.money.released if pairs] == [((STRATEGY, condition(1)),)]
    assert world.settler.redeemed == 1


def test_redemptions_are_looked_for_in_turns_and_a_token_that_is_refused_costs_no_other():
    world = World([])

    async def main():
        world.money.queue = [
            AwaitedRedemption(strategy_id=STRATEGY, condition_id=f"c{number:03}", token_id=f"{number:03}")
            for number in range(120)
        ]
        world.watched.venue.held_micro = {f"{number:03}": 5 for number in range(110)}
        world.watched.venue.weather = ["refused"]
        await trio.sleep(300)

    world.run(main)
    redeemed = {condition_id for _, pairs in world.money.released for _, condition_id in pairs}
    assert redeemed == {f"c{number:03}" for number in range(110, 120)}


def test_weather_is_endured():
    world = World([held(1)])
    world.money.down = True

    async def main():
        world.money.markets_there = {condition(1): market(1)}
        await trio.sleep(100)
        assert world.settler.failures > 0
        world.money.down = False
        await trio.sleep(60)

    world.run(main)
    assert [one.order_id for one in world.money.settlements] == ["1-0"]
