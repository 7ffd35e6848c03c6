"""Everybody else: traders who are copied, the crowd that moves prices, operators, and those who resolve and redeem."""

from decimal import Decimal

import attrs
import msgspec
import trio
from property.made_decisions import decision
from simulation.live_sim.sim_world import TRADERS, SimWorld

from actors.rules.live.signals import exit_id_of, order_id_of
from engine.simulator.market import Market
from protocols.decisions import Decision, Inputs
from protocols.errors import RejectedError, TransientError
from protocols.live.exits import ExitKind, ExitSignal, LiveExit
from protocols.live.operating import IntentConflictError, ManualOrder
from protocols.live.orders import LiveIntent, OrderType, Side
from protocols.live.settings import Halt, LiveStrategy
from protocols.receipts import Receipt

ONE_MICRO = 1_000_000


class Traders:
    """Signals, committed as commit 1 does: claims with their decision, obligations with a sale."""

    def __init__(self, world: SimWorld) -> None:
        self.world, self.rng, self.number = world, world.rng("traders"), 0
        self.mean_s = self.rng.choice((1.0, 3.0, 6.0))

    async def trade(self) -> None:
        while True:
            await trio.sleep(self.rng.expovariate(1 / self.mean_s))
            while self.world.database.down:
                await trio.sleep(0.2)
            markets = self.world.open_markets()
            if markets:
                # A writer that dies after a commit writes again: never is nobody told at all.
                with trio.CancelScope(shield=True):
                    await self._commit(self._decision(self.rng.choice(markets)))

    def _decision(self, market: Market) -> Decision:
        world, rng = self.world, self.rng
        self.number += 1
        now_ms, trade_id = world.clock.now_ms(), f"trade-{self.number}"
        trade_ms = now_ms - rng.choice((0, 200, 200, 1_000, 1_000, 5_000, 5_000, 20_000))
        index, trader = rng.randrange(2), rng.choice(TRADERS)
        price = min(Decimal("0.99"), max(Decimal("0.01"), market.price_of(index) + Decimal(rng.randint(-2, 2)) / 100))
        side = "SELL" if rng.random() < 0.3 else "BUY"
        inputs = Inputs(
            trade_id=trade_id, wallet=trader, token_id=market.token_ids[index], condition_id=market.condition_id, side=side,
            price=price, size_micro=rng.randint(1, 500) * ONE_MICRO, trade_ms=trade_ms, now_ms=now_ms,
        )  # fmt: skip
        snapshot = msgspec.json.encode(inputs).decode()
        if side == "SELL":
            signal = ExitSignal(
                trade_id=trade_id, trader=trader, condition_id=market.condition_id, token_id=inputs.token_id,
                share=Decimal(rng.choice(("0.1", "0.5", "1"))), price=price, trade_ms=trade_ms,
                ft_wallet_ids=tuple(sorted({one.ft_wallet_id for one in world.table.strategies.values()})),
            )  # fmt: skip
            return decision(trade_id, snapshot=snapshot, trade_ms=trade_ms, decided_ms=now_ms, exit_signal=signal)
        owners = [one for one in world.table.strategies.values() if one.enters and rng.random() < 0.7]
        intents = tuple(self._intent(one, inputs, market) for one in owners)
        return decision(trade_id, snapshot=snapshot, trade_ms=trade_ms, decided_ms=now_ms, intents=intents)

    def _intent(self, owner: LiveStrategy, inputs: Inputs, market: Market) -> LiveIntent:
        return LiveIntent(
            order_id=order_id_of(owner.strategy_id, inputs.trade_id, 1),
            strategy_id=owner.strategy_id,
            cause=inputs.trade_id,
            side=Side.BUY,
            condition_id=inputs.condition_id,
            token_id=inputs.token_id,
            event_slug=market.event_slug,
            trader=inputs.wallet,
            signal_price=inputs.price,
            signal_ms=inputs.trade_ms,
            decided_ms=inputs.now_ms,
            inputs=msgspec.json.encode(inputs).decode(),
            seen_s=trio.current_time(),
        )

    async def _commit(self, made: Decision) -> None:
        world, rng = self.world, self.rng
        claims, exits = world.ledger.claim_decided([made])
        world.note(f"commit 1 {made.trade_id} {len(made.intents)} claims {len(exits.get(made.key, ()))} exits")
        world.database.committed("commit 1")
        receipt = Receipt(
            key=made.key, applied=True, claims=tuple(claims.get(made.key, ())), exits=tuple(exits.get(made.key, ()))
        )
        if rng.random() < world.database.fails_after:
            # The word of the commit was lost: the writer commits again, and everything is there already.
            world.note("commit 1: its word was lost")
            receipt = Receipt(key=made.key, applied=False)
        before = world.live
        await trio.sleep(world.database.latency_s)
        if world.live is not None and world.live is before:
            world.live.committed([receipt])


class Crowd:
    """Moves prices, takes the liquidity away and brings it back."""

    def __init__(self, world: SimWorld) -> None:
        self.world, self.rng = world, world.rng("crowd")

    async def move(self) -> None:
        world, rng = self.world, self.rng
        while True:
            await trio.sleep(rng.expovariate(1.0))
            markets = world.open_markets()
            if not markets:
                continue
            market, now_ms = rng.choice(markets), world.clock.now_ms()
            if rng.random() < 0.05:
                world.venue.exchange.set_book(market, {}, {}, now_ms)
            elif rng.random() < 0.1:
                self.restore(market)
            moved = market.price + Decimal(rng.randint(-4, 4)) / 100
            market.price = min(Decimal("0.95"), max(Decimal("0.05"), moved))
            world.venue.exchange.book_of(market, now_ms)

    def restore(self, market: Market) -> None:
        book = self.world.venue.exchange.books.of(market)
        book.house.release()
        self.world.venue.exchange.book_of(market, self.world.clock.now_ms())


class Operators:
    """Halts, pauses, capital, breakers, flattening, orders by hand, and archives."""

    def __init__(self, world: SimWorld) -> None:
        self.world, self.rng, self.number = world, world.rng("operators"), 0

    async def operate(self) -> None:
        acts = (self._halt, self._pause, self._capital, self._breaker, self._flatten, self._by_hand, self._archive)
        async with trio.open_nursery() as nursery:
            while True:
                await trio.sleep(self.rng.uniform(5, 30))
                nursery.start_soon(self.rng.choice(acts))

    async def _halt(self) -> None:
        self.world.note("halt")
        self.world.table.halt = Halt(by="operator", reason="simulation", since_ms=self.world.clock.now_ms())
        await trio.sleep(self.rng.uniform(1, 15))
        self.world.table.halt = None

    async def _pause(self) -> None:
        one = self._any()
        self.world.table.put(attrs.evolve(one, is_paused=True, version=one.version + 1))
        await trio.sleep(self.rng.uniform(1, 15))
        now = self.world.table.strategies[one.strategy_id]
        self.world.table.put(attrs.evolve(now, is_paused=False, version=now.version + 1))

    async def _capital(self) -> None:
        delta = Decimal(self.rng.choice((-50, -10, 10, 50)))
        try:
            self.world.ledger.change_capital(self._any().strategy_id, delta)
            self.world.note(f"capital {delta}")
        except RejectedError:
            pass

    async def _breaker(self) -> None:
        self.world.ledger.state.strategies[self._any().strategy_id].breaker = None

    async def _archive(self) -> None:
        one = self._any()
        if trio.current_time() > 60 and self.rng.random() < 0.3:
            self.world.note(f"archive {one.strategy_id}")
            self.world.table.put(attrs.evolve(one, is_active=False, version=one.version + 1))

    async def _flatten(self) -> None:
        world, now_ms = self.world, self.world.clock.now_ms()
        held = sorted(
            {
                (kept.order.strategy_id, kept.order.intent.condition_id, kept.order.intent.token_id)
                for kept in world.ledger.state.orders.values()
                if kept.order.shares_open > 0 and kept.order.strategy_id in world.table.strategies
            }
        )
        self.number += 1
        made = [
            LiveExit(
                exit_id=exit_id_of(owner, f"flatten-{self.number}", token_id), strategy_id=owner,
                cause=f"flatten-{self.number}", kind=ExitKind.FLATTEN, condition_id=condition_id, token_id=token_id,
                trader=None, share=Decimal(1), signal_price=Decimal(0), signal_ms=now_ms, created_ms=now_ms,
                deadline_ms=now_ms + 60_000, next_try_ms=now_ms,
            )
            for owner, condition_id, token_id in held
        ]  # fmt: skip
        world.note(f"flatten {len(made)}")
        await world.ledger.open_exits(made)

    async def _by_hand(self) -> None:
        world, rng = self.world, self.rng
        markets = world.open_markets()
        if not markets or world.live is None:
            return
        self.number += 1
        market, index = rng.choice(markets), rng.randrange(2)
        account = rng.choice(world.accounts).name
        order = ManualOrder(
            intent_id=f"hand-{self.number}",
            account=account,
            side=Side.BUY,
            condition_id=market.condition_id,
            token_id=market.token_ids[index],
            limit_price=market.price_of(index).quantize(Decimal("0.01")),
            order_type=rng.choice((OrderType.FAK, OrderType.GTC)),
            usd=Decimal(rng.choice((2, 7))),
        )
        # A client asks again with the same key until it is answered.
        for _ in range(5):
            if world.live is None:
                return
            try:
                view = await world.live.manual.place(order, "somebody")
            except TransientError:
                await trio.sleep(rng.uniform(0.1, 3))
                continue
            except (RejectedError, IntentConflictError) as error:
                world.blame(f"an order by hand: {error}")
                return
            if rng.random() < 0.5 and not view.ended:
                await trio.sleep(rng.uniform(0, 5))
                try:
                    if world.live is not None:
                        await world.live.manual.cancel([view.order_id])
                except (TransientError, RejectedError):
                    pass
            return

    def _any(self) -> LiveStrategy:
        strategies = self.world.table.strategies
        return strategies[self.rng.choice(sorted(strategies))]


class Oracle:
    """Resolves markets, and lets accounts redeem what they hold of them."""

    def __init__(self, world: SimWorld) -> None:
        self.world, self.rng = world, world.rng("oracle")

    async def decide(self) -> None:
        while True:
            await trio.sleep(self.rng.uniform(20, 120))
            markets = self.world.open_markets()
            if len(markets) > 1:
                self.resolve(self.rng.choice(markets))

    def resolve(self, market: Market) -> None:
        payouts = self.rng.choice(((ONE_MICRO, 0), (0, ONE_MICRO), (ONE_MICRO // 2, ONE_MICRO // 2)))
        self.world.note(f"resolved {market.slug} {payouts}")
        now_ms = self.world.clock.now_ms()
        market.resolve(payouts, now_ms)
        self.world.venue.exchange.book_of(market, now_ms)

    async def redeem(self) -> None:
        while True:
            await trio.sleep(self.rng.uniform(10, 60))
            self.redeem_all()

    def redeem_all(self) -> None:
        exchange = self.world.venue.exchange
        for one in self.world.accounts:
            account = exchange.accounts.get(one.funder)
            assert account is not None
            for market in self.world.markets:
                if market.payouts is not None and any(account.shares_micro(token) for token in market.token_ids):
                    paid = exchange.clearing.redeem(account, market)
                    redeemed = self.world.redeemed_micro
                    redeemed[one.name] = redeemed.get(one.name, 0) + paid
