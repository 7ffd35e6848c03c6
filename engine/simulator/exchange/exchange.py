"""The venue's exchange: one object that takes orders, matches and settles them, and tells its listeners.

Everything is synchronous and takes the time as `now_ms`; `tick` lets held and delayed orders, settlement, expiry and the
dead-man switch go on. Equal seeds and equal calls give equal answers, ids included.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from engine.simulator.exchange.accounts import Account, Accounts
from engine.simulator.exchange.admission import ORDER, AdmissionDesk, Attempt
from engine.simulator.exchange.api_keys import ApiKey, ApiKeys
from engine.simulator.exchange.buckets import SignerBuckets
from engine.simulator.exchange.clearing import Clearing
from engine.simulator.exchange.events import ExchangeEvent, OrderChanged
from engine.simulator.exchange.executing import Executor, fee_of
from engine.simulator.exchange.expiry import overdue
from engine.simulator.exchange.heartbeats import Heartbeats
from engine.simulator.exchange.matching import Plan
from engine.simulator.exchange.modes import TradingModes
from engine.simulator.exchange.order_faults import OrderFaults
from engine.simulator.exchange.order_store import OrderStore
from engine.simulator.exchange.orders import OrderState, VenueOrder, rounded_up
from engine.simulator.exchange.placing import Placed, Verdict, order_from
from engine.simulator.exchange.refusals import CROSSES, NO_BALANCE, NO_FAK, NO_FOK, NOT_INSERTED, NOT_READY, Refusal
from engine.simulator.exchange.settlement import Settlement
from engine.simulator.exchange.trades import VenueTrade
from engine.simulator.exchange.venue_books import VenueBook, VenueBooks
from engine.simulator.market import Market, MarketDirectory, MarketState
from engine.simulator.matches import Block
from protocols.clock import Random

ITODE_HOLD_MS = 250
"""venue.md §7.3."""


class Exchange:
    """Accounts, books, orders and trades of one venue."""

    def __init__(
        self,
        markets: MarketDirectory,
        *,
        seed: int,
        rng: Random,
        chain_id: int = 137,
        lag_scale: float = 1.0,
        publish: Callable[[Block], None] | None = None,
        admission_order: Sequence[str] = ORDER,
    ) -> None:
        """`publish` gets every match as public rows; `rng` serves only faults by chance."""
        self.markets = markets
        self.listeners: list[Callable[[ExchangeEvent], None]] = []
        self.faults = OrderFaults(rng=rng)
        self.accounts = Accounts()
        self.keys = ApiKeys(seed=seed, chain_id=chain_id)
        self.modes = TradingModes()
        self.buckets = SignerBuckets()
        self.heartbeats = Heartbeats(seed=seed)
        self.clearing = Clearing(self.accounts)
        self.orders = OrderStore()
        self.books = VenueBooks(self._tell)
        self.chain_id = chain_id
        self._settlement = Settlement(self.clearing, self.faults, self._tell, lag_scale=lag_scale)
        self._executor = Executor(self._settlement, self._tell, publish, seed=seed)
        self._waiting: list[Placed] = []
        self.desk = AdmissionDesk(
            accounts=self.accounts,
            keys=self.keys,
            modes=self.modes,
            buckets=self.buckets,
            markets=markets,
            books=self,
            chain_id=chain_id,
            order=admission_order,
        )

    @property
    def trades(self) -> dict[str, VenueTrade]:
        """Every trade by id, oldest first."""
        return self._executor.trades

    def book_of(self, market: Market, now_ms: int) -> VenueBook:
        """Returns the book of a market as it is now; listeners hear first of what has changed."""
        book = self.books.of(market)
        self._follow(book, now_ms)
        return book

    def set_book(
        self, market: Market, bids: Mapping[Decimal, Decimal], asks: Mapping[Decimal, Decimal], now_ms: int
    ) -> None:
        """Fixes the house's levels, shares by price of the first outcome; orders that they reach are filled."""
        book = self.books.set_levels(market, bids, asks)
        self._executor.sweep(book, now_ms)
        self.books.tell_changes(book, now_ms)

    def place(self, attempt: Attempt) -> Placed:
        """Takes one order that the whole of admission is asked about first.

        The verdict may come later: inside the call of an `itode` market it is there after a `tick` at `due_ms`.
        """
        self.desk.find_market(attempt)
        if attempt.order_id:
            self.orders.posts[attempt.order_id] += 1
        refusal = self.desk.refusal(attempt)
        return self.placed(attempt) if refusal is None else Placed(verdict=refusal)

    def placed(self, attempt: Attempt) -> Placed:
        """Takes one order that has been let in."""
        order = order_from(attempt, self.books.next_place())
        if order is None:
            return Placed(verdict=NOT_INSERTED)
        now_ms = attempt.now_ms
        account = self.accounts.get(order.funder)
        if account is not None:
            account.signer = order.signer
        book = self.book_of(order.market, now_ms)
        if not order.post_only and book.matching.crosses(order):
            if order.market.seconds_delay:
                return self._delay(order, now_ms)
            if order.market.taker_delay:
                order.state = OrderState.HELD
                order.due_ms = now_ms + ITODE_HOLD_MS
                self.orders.add(order)
                placed = Placed(order=order, due_ms=order.due_ms)
                self._waiting.append(placed)
                return placed
        return Placed(order=order, verdict=self._run(order, now_ms))

    def funders_of(self, key: ApiKey) -> frozenset[str]:
        """Returns the wallets, lower case, that have been seen to belong to a key."""
        return frozenset(account.address for account in self.accounts if account.signer == key.address)

    def open_orders(self, key: ApiKey) -> list[VenueOrder]:
        """Returns the open orders of a key's wallets, oldest first."""
        funders = self.funders_of(key)
        return [
            each for funder in sorted(funders) for each in self.orders.open_of(funder) if each.signer == key.address
        ]

    def trades_of(self, funders: frozenset[str]) -> list[VenueTrade]:
        """Returns the trades in which any of these wallets has a part, oldest first."""
        return self._executor.of_funders(funders)

    def cancel(self, key: ApiKey, order_id: str, now_ms: int) -> str | None:
        """Cancels an order of a key's owner. Returns None, or why it is not cancelled (venue.md §4.6)."""
        order = self.orders.get(order_id)
        if order is None or order.signer != key.address:
            return "Order not found or already canceled"
        if order.state is OrderState.MATCHED:
            return "Order already matched"
        if order.state in (OrderState.DELAYED, OrderState.HELD):
            return "Order is delayed and cannot be canceled"
        if not order.state.is_open:
            return "Order not found or already canceled"
        self.end(order, OrderState.CANCELED, now_ms)
        return None

    def end(self, order: VenueOrder, state: OrderState, now_ms: int, text: str = "") -> None:
        """Ends an open order, and tells."""
        book = self.books.of(order.market)
        book.matching.remove(order)
        order.state = state
        self._tell(OrderChanged(order=order, kind="CANCELLATION", status_text=text or state, at_ms=now_ms))
        self.books.tell_changes(book, now_ms)

    def tick(self, now_ms: int) -> None:
        """Lets everything go on whose time has come."""
        for placed in [each for each in self._waiting if each.due_ms is not None and each.due_ms <= now_ms]:
            self._waiting.remove(placed)
            if placed.order is not None:
                placed.verdict = self._resume(placed.order, now_ms)
                placed.due_ms = None
        self._settlement.tick(now_ms)
        for order, state in overdue(self.orders, self.heartbeats, now_ms):
            self.end(order, state, now_ms)
        for book in self.books:
            self._follow(book, now_ms)

    def next_ms(self) -> int | None:
        """Returns when a held or delayed order or a trade goes on next; expiry and heartbeats are not counted."""
        times = [each.due_ms for each in self._waiting if each.due_ms is not None]
        settles = self._settlement.next_ms()
        return min(times + ([settles] if settles is not None else []), default=None)

    def recheck(self, account: Account, now_ms: int) -> None:
        """Ends the newest orders of an account until what it holds suffices for the others (venue.md §2.2)."""
        for order in reversed(self.orders.open_of(account.address)):
            token_id = None if order.side == "BUY" else order.token_id
            if self.orders.free_micro(account, token_id) < 0 and order.state is OrderState.LIVE:
                self.end(order, OrderState.NOT_ENOUGH_BALANCE, now_ms)

    def is_known(self, order_id: str) -> bool:
        """Returns whether an order was accepted before."""
        return self.orders.get(order_id) is not None

    def free_micro(self, account: Account, token_id: str | None) -> int:
        """Returns USD (None) or shares that no open order ties down."""
        return self.orders.free_micro(account, token_id)

    def cost_of(self, attempt: Attempt) -> tuple[int, bool]:
        """Returns USD with fees, or shares, that an order needs now, and whether it would take anything."""
        order = order_from(attempt, 0)
        if order is None:
            return 0, False
        book = self.book_of(order.market, attempt.now_ms)
        plan = book.matching.plan(order)
        return self._cost(order, plan), bool(plan.takes)

    def _cost(self, order: VenueOrder, plan: Plan) -> int:
        if order.side == "SELL":
            return order.size_micro
        taken = plan.cash_micro + fee_of(order.market, plan, order)
        if not order.rests:
            return max(order.reserve_micro, taken)
        left = (order.remaining_micro - plan.size_micro) * order.price
        return taken + rounded_up(left)

    def _delay(self, order: VenueOrder, now_ms: int) -> Placed:
        order.state = OrderState.DELAYED
        order.due_ms = now_ms + order.market.seconds_delay * 1000
        self.orders.add(order)
        self._waiting.append(Placed(order=order, due_ms=order.due_ms))
        self._tell(OrderChanged(order=order, kind="PLACEMENT", status_text=order.state, at_ms=now_ms))
        return Placed(order=order, verdict=Verdict(order.order_id, "delayed"))

    def _resume(self, order: VenueOrder, now_ms: int) -> Verdict | Refusal:
        """Goes on with an order after its delay: looked at anew, matched, placed or ended (venue.md §7.3)."""
        delayed = order.state is OrderState.DELAYED
        order.state, order.due_ms = OrderState.LIVE, None
        account = self.accounts.get(order.funder)
        token_id = None if order.side == "BUY" else order.token_id
        book = self.book_of(order.market, now_ms)
        plan = book.matching.plan(order)
        free = self.orders.free_micro(account, token_id, without=order) if account is not None else 0
        if order.market.state is not MarketState.OPEN:
            refusal, state = NOT_READY, OrderState.RESOLVED
        elif free < self._cost(order, plan):
            refusal, state = NO_BALANCE, OrderState.NOT_ENOUGH_BALANCE
        else:
            verdict = self._run(order, now_ms, resumed=delayed)
            if isinstance(verdict, Refusal) and delayed:
                order.state = OrderState.CANCELED
            elif isinstance(verdict, Refusal):
                self.orders.forget(order)
            return verdict
        if delayed:
            self.end(order, state, now_ms)
        else:
            self.orders.forget(order)
        return refusal

    def _run(self, order: VenueOrder, now_ms: int, *, resumed: bool = False) -> Verdict | Refusal:
        """Matches an order and lets the rest of it rest, or kills it whole."""
        book = self.book_of(order.market, now_ms)
        plan = book.matching.plan(order)
        if order.post_only and plan.takes:
            return CROSSES
        if (order.order_type == "FOK" and not plan.complete) or (order.order_type == "FAK" and not plan.takes):
            killed = NO_FOK if order.order_type == "FOK" else NO_FAK
            text = f"CANCELED_{killed.error}"
            self._tell(
                OrderChanged(order=order, kind="CANCELLATION", status_text=text, at_ms=now_ms, killed=not resumed)
            )
            return killed
        self.orders.add(order)
        trade = self._executor.execute(book, order, plan, now_ms) if plan.takes else None
        order.state = OrderState.LIVE if order.rests and not plan.complete else OrderState.MATCHED
        if order.state is OrderState.LIVE:
            book.matching.add(order)
        kind = "PLACEMENT" if order.state is OrderState.LIVE and not resumed else "UPDATE"
        text = "UNMATCHED" if resumed and trade is None else str(order.state)
        self._tell(OrderChanged(order=order, kind=kind, status_text=text, at_ms=now_ms))
        self.books.tell_changes(book, now_ms)
        status = "live" if trade is None else "matched"
        return Verdict(order.order_id, status, trade)

    def _follow(self, book: VenueBook, now_ms: int) -> None:
        """Moves the house with the market, which may fill orders; ends orders of markets that have closed."""
        if not book.house.moved():
            return
        book.house.follow(self.books.next_place())
        if book.market.state is not MarketState.OPEN:
            book.house.fixed = False
            for order in [*book.matching.orders(bids=True), *book.matching.orders(bids=False)]:
                self.end(order, OrderState.RESOLVED, now_ms)
        else:
            self._executor.sweep(book, now_ms)
        self.books.tell_changes(book, now_ms)

    def _tell(self, event: ExchangeEvent) -> None:
        for listener in self.listeners:
            listener(event)
