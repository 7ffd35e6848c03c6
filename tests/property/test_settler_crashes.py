"""Open orders are settled once, at what the venue says, whatever crashes and fails meanwhile."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK
from property.fake_markets import FakeMarketStore
from property.fake_prices import TrioClock
from property.supervised import CrashPlan, crash_sets, run_jumping, supervisor

from actors.rules.paper.settlement import settle
from actors.settler import Settler
from engine.runtime.supervisor import Child
from protocols.clock import Random
from protocols.errors import RejectedError, TransientError
from protocols.markets import Market
from protocols.paper import OpenMarket, OpenOrder, Payouts, SettledOrder
from protocols.venue.gamma import market_from
from protocols.venue.market_input import market_input

MILLION = 1_000_000
# What Gamma and the Data API say, and what a share of the first token is paid then.
KINDS = {
    "open": ({"outcomePrices": '["0.4", "0.6"]'}, None, None),
    "near one and open": ({"outcomePrices": '["0.999", "0.001"]'}, None, None),
    "open, the other source is early": ({"outcomePrices": '["0.999", "0.001"]'}, (MILLION, 0), None),
    "won": ({"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["1", "0"]'}, None, "1"),
    "lost": ({"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["0", "1"]'}, (0, MILLION), "0"),
    "void": ({"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["0.5", "0.5"]'}, None, "0.5"),
    "only told by payouts": ({"closed": True, "outcomePrices": '["0", "0"]'}, (MILLION, 0), "1"),
    "disputed": ({"closed": True, "umaResolutionStatus": "disputed", "outcomePrices": '["1", "0"]'}, None, None),
    "old without prices": (
        {"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["0", "0"]'},
        None,
        None,
    ),
    "disagreement": (
        {"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["1", "0"]'},
        (MILLION // 2, MILLION // 2),
        "0.5",
    ),
    "unknown to the venue": (None, None, None),
    "without tokens": (
        {"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["1", "0"]', "clobTokenIds": "[]"},
        (MILLION, 0),
        None,
    ),
}


def condition(number: int) -> str:
    return f"0x{number:063x}1"


@attrs.define(eq=False)
class Venue:
    """`MarketCatalog` and `Resolutions` of numbered markets; fails by script, counts what each market costs."""

    kinds: Sequence[str]
    plan: CrashPlan
    weather: list[str] = attrs.field(factory=list)
    asked: Counter[str] = attrs.field(factory=Counter)
    gone: bool = False
    data_down: bool = False

    def _market(self, condition_id: str) -> Market | None:
        number = int(condition_id[2:-1], 16)
        fields = KINDS[self.kinds[number]][0]
        if fields is None:
            return None
        tokens = f'["{number}-0", "{number}-1"]'
        return market_from(
            {"conditionId": condition_id, "outcomes": '["Yes", "No"]', "clobTokenIds": tokens, "closed": False} | fields
        )

    async def _step(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.plan.due():
            self.plan.crash()
        if self.weather and self.weather.pop() == "down":
            raise TransientError("502")

    async def markets(self, condition_ids: Sequence[str], *, closed: bool | None) -> list[Market]:
        await self._step()
        assert len(condition_ids) <= 100
        self.asked.update(condition_ids if closed is None else ())
        found = [market for id_ in condition_ids if (market := self._market(id_)) is not None]
        return [market for market in found if closed is None or market.closed is closed]

    async def payouts(self, condition_ids: Sequence[str]) -> dict[str, tuple[int, ...]]:
        await self._step()
        if self.gone:
            raise RejectedError("answered 404")
        if self.data_down:
            raise TransientError("502")
        said = {id_: KINDS[self.kinds[int(id_[2:-1], 16)]][1] for id_ in condition_ids}
        return {id_: payouts for id_, payouts in said.items() if payouts is not None}


@attrs.define(eq=False)
class Orders:
    """`SettlementStore`: two open orders a market; crashes before or after a commit."""

    kinds: Sequence[str]
    plan: CrashPlan
    rows: FakeMarketStore
    open: dict[str, OpenOrder] = attrs.field(factory=dict)
    settled: list[SettledOrder] = attrs.field(factory=list)
    refuses: str = ""

    def __attrs_post_init__(self) -> None:
        for number in range(len(self.kinds)):
            for index in (0, 1):
                one = OpenOrder(
                    order_id=f"{number}-{index}", wallet_id="A", trader="t", condition_id=condition(number),
                    token_id=f"{number}-{index}", trade_ms=0, entry_price=Decimal("0.5"), shares=Decimal(20), cost=Decimal(10),
                )  # fmt: skip
                self.open[one.order_id] = one

    async def open_markets(self, after: str, markets_max: int) -> list[OpenMarket]:
        await trio.lowlevel.checkpoint()
        tokens: dict[str, set[str]] = {}
        for order in self.open.values():
            tokens.setdefault(order.condition_id, set()).add(order.token_id)
        ids = sorted(id_ for id_ in tokens if id_ > after)[: min(3, markets_max)]
        rows = self.rows.stored
        return [
            OpenMarket(
                condition_id=id_,
                token_ids=frozenset(tokens[id_]),
                market=market_input(rows[id_], 0) if id_ in rows else None,
            )
            for id_ in ids
        ]

    async def settle(self, payouts: Sequence[Payouts]) -> list[SettledOrder]:
        await trio.lowlevel.checkpoint()
        if any(one.condition_id == self.refuses for one in payouts):
            raise RejectedError("value out of range")
        if self.plan.due():
            self.plan.crash()
        paid = {token: usd for one in payouts for token, usd in one.by_token.items()}
        found = [settle(self.open.pop(id_), paid[id_]) for id_ in list(self.open) if id_ in paid]
        self.settled += found
        if self.plan.due():
            self.plan.crash()
        return found


@attrs.define(eq=False)
class World:
    kinds: Sequence[str]
    plan: CrashPlan = attrs.field(factory=lambda: CrashPlan(frozenset()))
    weather: list[str] = attrs.field(factory=list)
    told: list[SettledOrder] = attrs.field(factory=list)
    venue: Venue = attrs.field(init=False)
    orders: Orders = attrs.field(init=False)
    rows: FakeMarketStore = attrs.field(factory=FakeMarketStore)
    settler: Settler = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.venue = Venue(self.kinds, self.plan, self.weather)
        self.orders = Orders(self.kinds, self.plan, self.rows)
        self.settler = Settler(
            store=self.orders,
            markets=self.rows,
            catalog=self.venue,
            resolutions=self.venue,
            clock=TrioClock(),
            rng=Random(2),
            interval_s=30,
            settled=self.told.extend,
        )

    def expected(self) -> dict[str, Decimal]:
        paid = {}
        for number, kind in enumerate(self.kinds):
            if (first := KINDS[kind][2]) is not None:
                paid |= {f"{number}-0": 20 * Decimal(first), f"{number}-1": 20 * (1 - Decimal(first))}
        return paid


mixtures = st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=12)


@given(kinds=mixtures, crash_at=crash_sets(), weather=st.lists(st.sampled_from(["ok", "down"]), max_size=6))
@QUICK
def test_every_order_of_a_resolved_market_is_settled_once_at_what_the_venue_says(kinds, crash_at, weather):
    world = World(kinds, CrashPlan(crash_at), weather)

    async def main():
        async with trio.open_nursery() as nursery:
            keeper = supervisor()
            await nursery.start(keeper.keep_alive, Child(name="settler", run=world.settler.run), keeper.policy)
            await trio.sleep(1_000)
            nursery.cancel_scope.cancel()

    run_jumping(main)
    paid = {one.order_id: one.payout for one in world.orders.settled}
    assert len(paid) == len(world.orders.settled)
    assert paid == world.expected()
    assert {one.order_id for one in world.told} <= paid.keys()
    if not world.plan.crashes:
        assert len(world.told) == len(paid)


@given(kinds=mixtures)
@QUICK
def test_two_passes_at_once_settle_once_and_a_market_costs_one_call_a_pass(kinds):
    world = World(kinds)

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.settler.pass_once)
            nursery.start_soon(world.settler.pass_once)

    run_jumping(main)
    assert Counter(one.order_id for one in world.told) == Counter(list(world.expected()))
    assert all(times <= 2 for times in world.venue.asked.values())


def test_what_is_stored_as_resolved_is_settled_without_a_call():
    world = World(["won", "void", "open"])

    async def main():
        for number in range(3):
            world.rows.stored[condition(number)] = world.venue._market(condition(number))
        figures = await world.settler.pass_once()
        assert (figures.markets, figures.stored, figures.asked, figures.orders) == (3, 2, 1, 4)

    run_jumping(main)
    assert set(world.venue.asked) == {condition(2)}
    assert world.settler.settled_by_outcome == {"WON": 1, "LOST": 1, "VOID": 2}


@pytest.mark.parametrize("gone", [True, False])
def test_without_resolutions_of_the_data_api_gamma_decides_alone_at_once_or_after_some_patience(gone):
    world = World(["won", "disputed"])
    world.venue.gone, world.venue.data_down = gone, not gone

    async def main():
        settled = [(await world.settler.pass_once()).orders for _ in range(4)]
        assert settled == ([2, 0, 0, 0] if gone else [0, 0, 0, 2])

    run_jumping(main)


def test_disagreement_and_unknown_tokens_are_counted():
    world = World(["disagreement", "without tokens", "won"])
    run_jumping(world.settler.pass_once)
    assert world.settler.totals["disagreements"] == 1
    assert world.settler.totals["unknown_tokens"] == 1


def test_a_market_that_the_database_refuses_costs_no_other():
    world = World(["won", "lost", "void"])
    world.orders.refuses = condition(1)
    run_jumping(world.settler.pass_once)
    assert {one.order_id for one in world.told} == {"0-0", "0-1", "2-0", "2-1"}
    assert world.settler.totals["refused"] == 1
