"""The executor with its desk, sender and store: which claims become orders, and what one slow market costs the others."""

from decimal import Decimal
from types import SimpleNamespace

import attrs
import trio
from actors_live_flow.watched_venue import ACCOUNT, hash_for
from engine_adapters.test_order_maker import maker
from property.fake_prices import TrioClock
from property.supervised import run_jumping

from actors.live.book_reader import BookReader
from actors.live.breaker import Breaker
from actors.live.entry_desk import EntryDesk
from actors.live.executor import Executor
from actors.live.live_book import LiveBook
from actors.live.live_registry import LiveRegistry
from actors.live.order_sender import OrderSender
from actors.rules.live.signals import order_id_of
from config.live_trading import LiveTradingConfig
from config.schema import FilterConfig
from engine.adapters.memory.live_ledger import MemoryLiveLedger
from engine.adapters.memory.live_state import MemoryStrategy
from engine.runtime.channel import Channel
from engine.runtime.rate_limit import TokenBucket
from protocols.clock import Random
from protocols.errors import TransientError
from protocols.live.market import MarketTerms, OrderBook
from protocols.live.orders import LiveIntent, OrderOrigin, Side
from protocols.live.ports import TradingAccount
from protocols.venue.clob_account import BalanceAllowance
from protocols.venue.clob_orders import Answered, PostReply

FAST, SLOW = "111", "222"
MARKETS = {FAST: "0x" + "a" * 64, SLOW: "0x" + "b" * 64}
STRATEGY = f"manual:{ACCOUNT}"


class Upstream:
    """Books of `FAST` at once, those of `SLOW` never; terms likewise."""

    async def books(self, token_ids):
        if SLOW in token_ids:
            await trio.sleep(1_000)
        await trio.sleep(0.01)
        return {
            token: OrderBook(
                token_id=token, condition_id=MARKETS[token], bids=((Decimal("0.4"), Decimal(500)),),
                asks=((Decimal("0.5"), Decimal(500)),), tick=Decimal("0.01"), min_shares=Decimal(5), negative_risk=False,
                last_trade_price=None, observed_s=trio.current_time(),
            )
            for token in token_ids
        }  # fmt: skip

    async def terms(self, condition_id):
        return MarketTerms(
            condition_id=condition_id, token_ids=("1",), accepting_orders=True, fee_rate=Decimal(0), fee_exponent=1,
            negative_risk=False, taker_delay=False,
        )  # fmt: skip


@attrs.define(eq=False)
class World:
    """One account and its orders by hand."""

    clock: TrioClock = attrs.field(factory=TrioClock)
    posts: list[float] = attrs.field(factory=list)
    ledger: MemoryLiveLedger = attrs.field(init=False)
    book: LiveBook = attrs.field(init=False)
    reader: BookReader = attrs.field(init=False)
    executor: Executor = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.ledger = MemoryLiveLedger(clock=self.clock, not_found_interval_ms=20_000)
        self.ledger.add_strategy("LT_A", MemoryStrategy(account=ACCOUNT, ft_wallet_id="A"), Decimal(100))
        registry = LiveRegistry(store=None, config=FilterConfig(), rng=Random(1))
        self.book = LiveBook(registry=registry)
        self.reader = BookReader(upstream=Upstream())
        breaker = Breaker(registry=registry, store=None, clock=self.clock, rng=Random(1))
        gate = TokenBucket(rate_per_s=40, burst=60)
        venue = SimpleNamespace(post_order=self.post)
        account = TradingAccount(name=ACCOUNT, venue=venue, maker=maker(), gate=gate, wallet="0x")
        ready = trio.Event()
        ready.set()
        log = SimpleNamespace(send_nowait=lambda _line: None)
        events = Channel("order_events", 100)
        sender = OrderSender(
            accounts={ACCOUNT: account}, events=events.outbox(), book=self.book, breaker=breaker, config=LiveTradingConfig(),
            clock=self.clock, log=log, trade_to_order=SimpleNamespace(observe=lambda _s: None),
        )  # fmt: skip
        desk = EntryDesk(
            book=self.book, reader=self.reader, breaker=breaker, accounts={ACCOUNT: account}, clock=self.clock
        )
        self.executor = Executor(
            intents=Channel("intents", 100).inbox, store=self.ledger, book=self.book, desk=desk, sender=sender,
            reconciled=ready, clock=self.clock, rng=Random(1), log=log,
        )  # fmt: skip

    async def post(self, body: bytes) -> PostReply:
        self.posts.append(trio.current_time())
        return Answered(status=400, body=b'{"error":"no orders found to match with FAK order."}')

    async def offer(self, *intents: LiveIntent) -> None:
        await self.ledger.claim(intents)
        self.executor.offer(intents)

    def run(self, main) -> "World":
        async def whole():
            async with trio.open_nursery() as nursery:
                await nursery.start(self.reader.run)
                await nursery.start(self.executor.run)
                await self.book.wait_loaded()
                self.book.note_cash(
                    ACCOUNT, BalanceAllowance(balance_micro=10**9, allowances_micro={}), trio.current_time()
                )
                await main()
                nursery.cancel_scope.cancel()

        run_jumping(whole)
        return self

    def order(self, number: int):
        return self.ledger.state.orders[order_id_of(STRATEGY, f"o{number}", 1)].order


def by_hand(world: World, number: int, token_id: str = FAST, **changed) -> LiveIntent:
    values = {
        "order_id": order_id_of(STRATEGY, f"o{number}", 1), "strategy_id": STRATEGY, "cause": f"o{number}", "side": Side.BUY,
        "origin": OrderOrigin.MANUAL, "condition_id": MARKETS[token_id], "token_id": token_id,
        "signal_price": Decimal("0.5"), "signal_ms": world.clock.now_ms(), "decided_ms": world.clock.now_ms(),
        "wanted_usd": Decimal(5), "limit_price": Decimal("0.5"),
    }  # fmt: skip
    return LiveIntent(**values | changed)


def test_a_book_that_does_not_come_holds_up_no_other_claim():
    world = World()

    async def main():
        # Each market has one order on its way: these ten have markets of their own that nobody answers for.
        slow = [by_hand(world, number, SLOW, condition_id=hash_for(number)) for number in range(10, 20)]
        await world.offer(*slow)
        await trio.sleep(0.5)
        for number in range(3):
            await world.offer(by_hand(world, number))
            await trio.sleep(0.5)
        assert len(world.posts) == 3

    world.run(main)
    assert world.posts[-1] < 1.7


def test_a_claim_without_a_book_ends_when_its_time_is_over():
    world = World()

    async def main():
        await world.offer(by_hand(world, 1, SLOW))
        await trio.sleep(60)

    world.run(main)
    assert (world.order(1).status.value, world.order(1).reason) == ("REJECTED", "NO_BOOK")
    assert not world.posts


def test_without_credentials_an_order_ends_when_its_time_is_over_and_never_comes_later():
    def no_key():
        raise TransientError("no API credentials yet")

    world = World()
    made = world.executor.desk.accounts[ACCOUNT].maker
    made.api_key = no_key

    async def main():
        await world.offer(by_hand(world, 1))
        await trio.sleep(60)
        made.api_key = lambda: "key"
        await trio.sleep(60)

    world.run(main)
    assert (world.order(1).status.value, world.order(1).reason) == ("REJECTED", "NO_CREDENTIALS")
    assert not world.posts


def test_what_is_fetched_for_a_claim_is_not_kept_longer_than_the_claim():
    world = World()

    async def main():
        for number in range(5):
            await world.offer(by_hand(world, number, condition_id=hash_for(number)))
        await trio.sleep(5)

    world.run(main)
    assert not world.executor.desk._fetched


def test_a_token_of_another_market_is_refused():
    world = World()

    async def main():
        await world.offer(by_hand(world, 1, condition_id=MARKETS[SLOW]))
        await trio.sleep(3)

    world.run(main)
    assert (world.order(1).reason, world.order(1).detail) == (
        "TOKEN_NOT_IN_MARKET",
        f"the token is of market {MARKETS[FAST]}",
    )


def test_an_attempt_to_sell_what_is_not_held_any_more_is_declined():
    world = World()

    async def main():
        claim = by_hand(
            world, 1, strategy_id=STRATEGY, origin=OrderOrigin.EXIT, side=Side.SELL, wanted_usd=None,
            wanted_shares=Decimal(20),
        )  # fmt: skip
        await world.offer(claim)
        await trio.sleep(3)

    world.run(main)
    assert (world.order(1).status.value, world.order(1).reason) == ("REJECTED", "NOTHING_HELD")


class SlowToTell:
    """A ledger whose snapshots are a moment old when they arrive."""

    def __init__(self, ledger):
        self.ledger = ledger

    def __getattr__(self, name):
        return getattr(self.ledger, name)

    async def snapshot(self, now_ms):
        found = await self.ledger.snapshot(now_ms)
        await trio.sleep(1)
        return found


def test_a_claim_that_is_told_of_while_others_are_read_is_found():
    world = World()
    world.executor.store = SlowToTell(world.ledger)

    async def main():
        for number in range(2):
            # The second while the first is being read: the snapshot on its way does not have it, and nobody tells again.
            await world.ledger.claim([by_hand(world, number)])
            world.executor.missed_some()
            await trio.sleep(0.5)
        await trio.sleep(20)

    world.run(main)
    assert len(world.posts) == 2
