"""What happens to a journaled order between the journal and the venue's answer."""

from types import SimpleNamespace
from typing import Any

import attrs
import msgspec
import pytest
import trio
from actors_live_flow.reconciled_world import World
from actors_live_flow.watched_venue import ACCOUNT, Venue, bought, hash_for
from property.supervised import run_jumping

from actors.live.breaker import Breaker
from actors.live.order_sender import OrderSender
from config.live_trading import LiveTradingConfig
from engine.runtime.rate_limit import TokenBucket
from protocols.clock import Random
from protocols.live.orders import OrderOrigin, Side
from protocols.live.ports import TradingAccount
from protocols.venue.clob_orders import Answered, PostReply

TAKEN = b'{"success":true,"errorMsg":"","orderID":"%s","status":"matched","makingAmount":"10","takingAmount":"5"}'
BUSY = Answered(status=429, body=b'{"error":"rate limited"}', retry_after_s=60.0)
COMING_UP = Answered(status=425, body=b'{"error":"matching engine is restarting"}', retry_after_s=1.0)
STALE_KEY = Answered(status=401, body=b'{"error":"Unauthorized/Invalid api key"}')


@attrs.define(eq=False)
class Desk(Venue):
    """Takes orders, after whatever it answers first; `answer_s` is its pace."""

    first: list[PostReply] = attrs.field(factory=list)
    answer_s: float = 0.05
    is_key_stale: bool = False
    """Answers 401 to the first try of every order."""
    posts: list[float] = attrs.field(factory=list)
    bodies: list[str] = attrs.field(factory=list)

    async def post_order(self, body: bytes) -> PostReply:
        self.posts.append(trio.current_time())
        self.bodies.append(body.decode())
        await trio.sleep(self.answer_s)
        if self.is_key_stale and self.bodies.count(body.decode()) == 1:
            return STALE_KEY
        if self.first:
            return self.first.pop(0)
        return Answered(status=200, body=TAKEN % body)


def sending(world: World) -> OrderSender:
    gate = TokenBucket(rate_per_s=40, burst=60)
    account = TradingAccount(name=ACCOUNT, venue=world.venue, maker=None, gate=gate, wallet="0x")  # type: ignore[arg-type]
    return OrderSender(
        accounts={ACCOUNT: account}, events=world.outbox(), book=world.book, config=LiveTradingConfig(), clock=world.clock,
        breaker=Breaker(registry=world.book.registry, store=None, clock=world.clock, rng=Random(1)),  # type: ignore[arg-type]
        log=SimpleNamespace(send_nowait=lambda _line: None), trade_to_order=SimpleNamespace(observe=lambda _s: None),
        doubt=world.reconciler.ask,
    )  # fmt: skip


def journaled(world: World, number: int = 1, **changed: Any) -> Any:
    order = bought(number, signed_ms=world.clock.now_ms(), **changed)
    assert order.signed is not None
    order = msgspec.structs.replace(order, signed=msgspec.structs.replace(order.signed, body=hash_for(number).encode()))
    world.journal(order)
    return order


def test_an_order_that_waits_to_be_sent_is_not_taken_for_lost():
    world = World(venue_type=Desk)
    world.venue.first = [BUSY, BUSY]
    sender = sending(world)

    async def main():
        world.load()
        await trio.sleep(1)
        await sender.send(journaled(world, side=Side.SELL, origin=OrderOrigin.EXIT))
        await trio.sleep(1)

    world.run(main)
    assert [round(at_s) for at_s in world.venue.posts] == [1, 61, 121]
    assert world.store.status(1) == "PENDING"


def test_an_order_that_has_ended_meanwhile_is_not_sent():
    world = World(venue_type=Desk)
    world.venue.first = [BUSY]
    sender = sending(world)

    async def main():
        world.load()
        async with trio.open_nursery() as nursery:
            order = journaled(world, side=Side.SELL, origin=OrderOrigin.EXIT)
            nursery.start_soon(sender.send, order)
            await trio.sleep(1)
            ended = msgspec.structs.replace(order, ended=True)
            world.book._keep(ended)

    world.run(main)
    assert len(world.venue.posts) == 1


def test_entries_that_wait_for_a_connection_end_with_their_signal():
    world = World(venue_type=Desk)
    world.venue.answer_s = 10
    sender = sending(world)
    signed_s: dict[str, float] = {}

    async def main():
        world.load()
        async with trio.open_nursery() as nursery:
            for number in range(1, 41):
                signed_s[hash_for(number)] = trio.current_time()
                nursery.start_soon(sender.send, journaled(world, number))
                await trio.sleep(0.5)
        await trio.sleep(1)

    world.run(main)
    assert len(world.venue.posts) < 40
    reasons = [world.store.orders[order_hash].reason for order_hash in signed_s]
    assert reasons.count("expired") == 40 - len(world.venue.posts)
    assert all(at_s - signed_s[body] <= 30.1 for at_s, body in zip(world.venue.posts, world.venue.bodies, strict=True))


@pytest.mark.parametrize("origin", [OrderOrigin.COPY, OrderOrigin.EXIT])
def test_what_a_server_said_whose_engine_comes_up_is_no_proof_and_is_asked_for(origin):
    world = World(venue_type=Desk)
    world.venue.first = [COMING_UP] * 100
    sender = sending(world)
    seen = []

    async def main():
        world.load()
        await trio.sleep(1)
        order = journaled(world, side=Side.SELL if origin is OrderOrigin.EXIT else Side.BUY, origin=origin)
        await sender.send(order)
        await trio.sleep(1)
        seen.append(world.store.status(1))
        await trio.sleep(100)

    world.run(main)
    assert seen == ["PLACED"]
    assert world.store.status(1) == "LOST"
    assert len(world.venue.posts) == 1 + LiveTradingConfig().unsent_retry_max


def test_a_refusal_after_such_a_word_may_be_the_first_try_and_proves_nothing():
    world = World(venue_type=Desk)
    refusal = Answered(status=400, body=b'{"error":"not enough balance / allowance"}')
    world.venue.first = [COMING_UP, refusal]
    sender = sending(world)
    seen = []

    async def main():
        world.load()
        await trio.sleep(1)
        await sender.send(journaled(world))
        await trio.sleep(1)
        seen.append((world.store.status(1), sender.breaker.paused_s(ACCOUNT)))
        await trio.sleep(100)

    world.run(main)
    assert seen == [("PLACED", None)]
    assert world.store.status(1) == "LOST"


def test_stale_credentials_are_got_anew_once_and_cost_no_order():
    world = World(venue_type=Desk)
    world.venue.is_key_stale = True
    sender = sending(world)

    async def main():
        world.load()
        async with trio.open_nursery() as nursery:
            for number in range(1, 6):
                nursery.start_soon(sender.send, journaled(world, number))
        await trio.sleep(1)

    world.run(main)
    assert [world.store.status(number) for number in range(1, 6)] == ["PENDING"] * 5
    assert not sender.breaker.latched


def test_credentials_that_are_not_taken_at_all_end_the_order_and_count_as_a_failure():
    world = World(venue_type=Desk)
    world.venue.first = [STALE_KEY] * 100
    sender = sending(world)

    async def main():
        world.load()
        for number in range(1, 6):
            await sender.send(journaled(world, number))
        await trio.sleep(1)

    world.run(main)
    assert len(world.venue.posts) == 10
    assert [world.store.status(number) for number in range(1, 6)] == ["REJECTED"] * 5
    assert "unauthorized" in sender.breaker.latched["LT_A"]


def test_a_sale_that_is_refused_says_nothing_of_cash():
    world = World(venue_type=Desk)
    refusal = Answered(status=400, body=b'{"error":"not enough balance / allowance"}')
    world.venue.first = [refusal, refusal]
    sender = sending(world)
    said = []

    async def main():
        world.load()
        await sender.send(journaled(world, 1, side=Side.SELL, origin=OrderOrigin.EXIT))
        said.append(sender.breaker.stops("LT_A", ACCOUNT, trio.current_time()))
        await sender.send(journaled(world, 2))
        said.append(sender.breaker.stops("LT_A", ACCOUNT, trio.current_time()))

    run_jumping(lambda: world.during(main=main))
    assert said[0] is None
    assert "not enough balance" in said[1]
