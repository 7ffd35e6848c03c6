"""A commit that is there although nobody was told: memory learns of it all the same."""

from decimal import Decimal

import attrs
import pytest
import trio
import trio.testing
from actors_live.live_cases import T0
from engine_adapters.live_worlds import D, Today, buy, bytes_for, hash_of, told
from property.supervised import run_jumping

from actors.live.live_book import LiveBook
from actors.live.live_registry import LiveRegistry
from actors.live.live_settler import LiveSettler
from actors.live.order_keeper import OrderKeeper
from config.schema import FilterConfig
from engine.adapters.memory.live_ledger import MemoryLiveLedger
from engine.adapters.memory.live_state import MemoryStrategy
from engine.adapters.memory.live_watch import MemoryLiveTable, MemoryLiveWatch
from engine.runtime.channel import Channel
from protocols.clock import Random
from protocols.decisions import MarketInput
from protocols.errors import TransientError
from protocols.live.events import OrderEvent, Seen
from protocols.live.orders import OrderStatus


class LosesWords:
    """A store whose connection is lost after some commits."""

    def __init__(self, ledger, words_lost):
        self.ledger, self.words_lost, self.answer_s = ledger, words_lost, 1.0

    def __getattr__(self, name):
        method = getattr(self.ledger, name)

        async def call(*values):
            result = await method(*values)
            await trio.sleep(self.answer_s)
            if self.words_lost.get(name, 0):
                self.words_lost[name] -= 1
                raise TransientError("the connection was lost after the commit")
            return result

        return call


class Resolved:
    """Stored markets: the first token has won."""

    async def find(self, condition_ids):
        await trio.lowlevel.checkpoint()
        prices = (D(1), D(0))
        return {
            one: MarketInput(
                condition_id=one, closed=True, resolved=True, token_ids=("77", "78"), outcome_prices=prices
            )
            for one in condition_ids
        }


@attrs.define
class Desk:
    ledger: MemoryLiveLedger
    store: LosesWords
    book: LiveBook

    async def reread(self):
        self.book.refresh(await self.ledger.snapshot(T0), T0)


async def desk(**words_lost):
    ledger = MemoryLiveLedger(clock=Today(), not_found_interval_ms=20_000)
    ledger.add_strategy("LT_A", MemoryStrategy(account="main", ft_wallet_id="A"), D(100))
    claim = buy(1)
    await ledger.claim([claim])
    await ledger.journal([(claim, bytes_for(claim, 1))])
    registry = LiveRegistry(store=MemoryLiveTable(ledger.state), config=FilterConfig(), rng=Random(1))
    book = LiveBook(registry=registry)
    book.load(await ledger.snapshot(T0), T0)
    return Desk(ledger, LosesWords(ledger, words_lost), book)


def filled():
    return [
        told(1, "t1", "20", status="CONFIRMED"),
        Seen(order_hash=hash_of(1), venue_status="MATCHED", matched_shares=D(20), at_ms=T0 + 60),
    ]


@pytest.mark.parametrize("lost", [0, 1, 3])
def test_an_order_that_ended_with_nobody_told_is_not_taken_for_working_for_ever(lost):
    async def main():
        world = await desk(apply=lost)
        events = Channel[OrderEvent]("order_events", 10)
        doubts = []
        keeper = OrderKeeper(
            events=events.inbox, store=world.store, book=world.book, clock=Today(), rng=Random(1),
            doubtful=lambda: doubts.append(True),
        )  # fmt: skip
        outbox = events.outbox()
        await outbox.send_many(filled())
        outbox.close()
        await keeper.run()
        assert len(doubts) == (1 if lost else 0)
        if doubts:
            assert world.book.working_orders(), "applying again has told, and nobody needs to doubt"
            await world.reread()
        assert not world.book.working_orders()
        [lot] = world.book.lots()
        assert (lot.shares, world.book.balances["LT_A"].available) == (
            D(20),
            world.ledger.state.balances["LT_A"].available,
        )

    run_jumping(main)


def test_a_keeper_that_dies_between_commit_and_telling_doubts_when_it_lives_again():
    async def main():
        world = await desk()
        events, doubts = Channel[OrderEvent]("order_events", 10), []
        outbox = events.outbox()
        keeper = OrderKeeper(
            events=events.inbox, store=world.store, book=world.book, clock=Today(), rng=Random(1),
            doubtful=lambda: doubts.append(True),
        )  # fmt: skip
        await outbox.send_many(filled())
        with trio.move_on_after(world.store.answer_s / 2):
            await keeper.run()
        assert world.ledger.state.orders[buy(1).order_id].order.status is OrderStatus.FILLED
        assert world.book.working_orders()
        events.rewind(RuntimeError("it died"))
        outbox.close()
        await keeper.run()
        assert doubts

    run_jumping(main)


def test_a_settlement_that_nobody_was_told_of_leaves_no_position_in_memory():
    async def main():
        world = await desk(settle=1)
        world.book.applied(await world.ledger.apply(filled()), T0)
        reread = trio.Event()
        settler = LiveSettler(
            store=world.store, redemptions=MemoryLiveWatch(world.ledger.state), stored=Resolved(), markets=None, catalog=None,
            resolutions=None, accounts={}, book=world.book, clock=Today(), rng=Random(1), interval_s=1.0,
            doubtful=reread.set,
        )  # fmt: skip

        async with trio.open_nursery() as nursery:
            await nursery.start(settler.run)
            with trio.fail_after(60):
                await reread.wait()
            assert world.book.lots()
            await world.reread()
            nursery.cancel_scope.cancel()
        assert not world.book.lots()
        assert world.book.balances["LT_A"].cooldown == Decimal(20)

    run_jumping(main)


async def test_reading_again_keeps_what_is_prepared_and_offers_no_claim_that_was_declined():
    world = await desk()
    old, new = buy(2), buy(3)
    await world.ledger.claim([old, new])
    world.book.claimed([old])
    await world.reread()
    assert [one.order_id for one in world.book.claims()] == [old.order_id]
