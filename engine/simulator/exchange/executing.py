"""Makes trades out of what was matched: everybody's part to the millionth, and the rows that the public sees."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from engine.simulator.exchange.api_keys import uuid_of
from engine.simulator.exchange.events import ExchangeEvent, OrderChanged, Traded
from engine.simulator.exchange.house import house_crosses, house_wallet
from engine.simulator.exchange.matching import Plan, Take
from engine.simulator.exchange.orders import OrderState, VenueOrder, rounded_up
from engine.simulator.exchange.settlement import Settlement, final_hash
from engine.simulator.exchange.trades import Leg, VenueTrade
from engine.simulator.exchange.venue_books import VenueBook
from engine.simulator.market import ONE, Market
from engine.simulator.matches import Block, Match, MatchedFill
from engine.simulator.order_flow import average_price
from engine.simulator.publisher import taker_fee
from engine.simulator.seeds import digest
from engine.simulator.wire_numbers import notional_micro

_HOUSE_OWNER = "00000000-0000-4000-a000-000000000000"


class Executor:
    """Executes plans: orders and books change, trades begin to settle, listeners and the public are told."""

    def __init__(
        self,
        settlement: Settlement,
        tell: Callable[[ExchangeEvent], None],
        publish: Callable[[Block], None] | None,
        *,
        seed: int,
    ) -> None:
        self._settlement = settlement
        self._tell = tell
        self._publish = publish
        self._seed = seed
        self.trades: dict[str, VenueTrade] = {}
        """By id, oldest first."""
        self._by_funder: dict[str, list[VenueTrade]] = {}

    def of_funders(self, funders: frozenset[str]) -> list[VenueTrade]:
        """Returns the trades in which any of these wallets has a part, oldest first."""
        found = {each.trade_id: each for funder in funders for each in self._by_funder.get(funder, ())}
        return sorted(found.values(), key=lambda each: each.place)

    def execute(self, book: VenueBook, order: VenueOrder, plan: Plan, now_ms: int) -> VenueTrade:
        """Lets an order take what was planned. Returns the trade; what is left of the order is the caller's."""
        makers = []
        for take in plan.takes:
            makers.append(_maker_leg(order, take))
            if take.maker is None:
                book.matching.shrink_house(take, taker_is_bid=order.is_bid)
        trade = self._trade(
            book,
            _taker_leg(order, plan),
            tuple(makers),
            limit_price=order.price,
            now_ms=now_ms,
        )
        _count(order, trade.taker, trade.trade_id)
        for take, leg in zip(plan.takes, makers, strict=True):
            if take.maker is not None:
                self._fill_maker(book, take.maker, leg, trade, now_ms)
        self._begin(book, trade, now_ms)
        return trade

    def sweep(self, book: VenueBook, now_ms: int) -> None:
        """Lets the house take the resting orders that its new levels have reached, at their own prices."""
        for is_bid in (True, False):
            levels = book.matching.house_levels(bids=not is_bid)
            for order in list(book.matching.orders(bids=is_bid)):
                limit = order.book_price
                reached = [p for p in sorted(levels, reverse=not is_bid) if (p <= limit if is_bid else p >= limit)]
                left = order.remaining_micro
                for price in reached:
                    size = min(left, levels[price].size_micro)
                    levels[price].size_micro -= size
                    if not levels[price].size_micro:
                        del levels[price]
                    left -= size
                    if not left:
                        break
                if left < order.remaining_micro:
                    self._sell_to(book, order, order.remaining_micro - left, now_ms)

    def _sell_to(self, book: VenueBook, order: VenueOrder, size_micro: int, now_ms: int) -> None:
        """The house takes a part of a resting order, on the other side of the same outcome."""
        price = order.price
        cash = notional_micro(size_micro, price) if order.side == "BUY" else rounded_up(size_micro * price)
        fee = _fee_micro(book.market, size_micro, price)
        taken_id = "0x" + digest("house order", order.order_id, order.matched_micro).hex()
        taker = Leg(
            order_id=taken_id,
            owner=_HOUSE_OWNER,
            funder=house_wallet(book.market.condition_id, price),
            outcome_index=order.outcome_index,
            side="SELL" if order.side == "BUY" else "BUY",
            size_micro=size_micro,
            price=price,
            cash_micro=cash,
            fee_micro=min(fee, cash),
            is_house=True,
        )
        maker = _leg_of(order, size_micro, order.price, cash)
        trade = self._trade(book, taker, (maker,), limit_price=price, now_ms=now_ms)
        self._fill_maker(book, order, maker, trade, now_ms)
        self._begin(book, trade, now_ms)

    def _trade(
        self, book: VenueBook, taker: Leg, makers: tuple[Leg, ...], *, limit_price: Decimal, now_ms: int
    ) -> VenueTrade:
        trade = VenueTrade(
            trade_id=uuid_of(digest("trade", self._seed, len(self.trades), taker.order_id)),
            market=book.market,
            taker=taker,
            limit_price=limit_price,
            makers=makers,
            matched_ms=now_ms,
            place=len(self.trades),
        )
        self.trades[trade.trade_id] = trade
        for funder in {leg.funder for leg in trade.legs if not leg.is_house}:
            self._by_funder.setdefault(funder, []).append(trade)
        return trade

    def _fill_maker(self, book: VenueBook, order: VenueOrder, leg: Leg, trade: VenueTrade, now_ms: int) -> None:
        _count(order, leg, trade.trade_id)
        if not order.remaining_micro:
            book.matching.remove(order)
            order.state = OrderState.MATCHED
        self._tell(OrderChanged(order=order, kind="UPDATE", status_text=order.state, at_ms=now_ms))

    def _begin(self, book: VenueBook, trade: VenueTrade, now_ms: int) -> None:
        self._settlement.begin(trade)
        taker = trade.taker
        self._tell(
            Traded(
                market=book.market,
                outcome_index=taker.outcome_index,
                side=taker.side,
                price=taker.price,
                size_micro=taker.size_micro,
                transaction_hash=final_hash(trade),
                at_ms=now_ms,
            )
        )
        if self._publish is not None and not trade.fails:
            self._publish(Block(offset_s=0.0, matches=[_public(trade)]))
        else:
            cash = notional_micro(taker.size_micro, taker.price)
            book.market.record_trade(taker.outcome_index, taker.price, taker.side, cash)
        book.house.stay()


def fee_of(market: Market, plan: Plan, order: VenueOrder) -> int:
    """Returns what the taker of a plan pays in fees, in millionths of a USD (venue.md §7.1)."""
    return _taker_leg(order, plan).fee_micro if plan.takes else 0


def _taker_leg(order: VenueOrder, plan: Plan) -> Leg:
    own = [(take.size_micro, _own_price(order, take.book_price)) for take in plan.takes]
    price = average_price(own)
    fee = _fee_micro(order.market, plan.size_micro, price)
    if order.side == "SELL":
        fee = min(fee, plan.cash_micro)
    return _leg_of(order, plan.size_micro, price, plan.cash_micro, fee)


def _maker_leg(taker: VenueOrder, take: Take) -> Leg:
    """The maker's part: the same USD on the other side of one outcome, or what makes a pair of outcomes one USD."""
    maker = take.maker
    if maker is not None:
        same_outcome = maker.outcome_index == taker.outcome_index
        cash = take.cash_micro if same_outcome else take.size_micro - take.cash_micro
        return _leg_of(maker, take.size_micro, maker.price, cash)
    crosses = house_crosses(taker.order_id, taker.side, take.book_price)
    outcome_index = taker.outcome_index ^ crosses
    opposite = "SELL" if taker.side == "BUY" else "BUY"
    return Leg(
        order_id="0x" + digest("house maker", taker.order_id, taker.matched_micro, take.book_price).hex(),
        owner=_HOUSE_OWNER,
        funder=house_wallet(taker.market.condition_id, take.book_price),
        outcome_index=outcome_index,
        side=taker.side if crosses else opposite,
        size_micro=take.size_micro,
        price=take.book_price if outcome_index == 0 else ONE - take.book_price,
        cash_micro=take.size_micro - take.cash_micro if crosses else take.cash_micro,
        is_house=True,
    )


def _leg_of(order: VenueOrder, size_micro: int, price: Decimal, cash_micro: int, fee_micro: int = 0) -> Leg:
    return Leg(
        order_id=order.order_id,
        owner=order.owner,
        funder=order.funder,
        outcome_index=order.outcome_index,
        side=order.side,
        size_micro=size_micro,
        price=price,
        cash_micro=cash_micro,
        fee_micro=fee_micro,
    )


def _count(order: VenueOrder, leg: Leg, trade_id: str) -> None:
    order.matched_micro += leg.size_micro
    order.paid_micro += leg.cash_micro
    order.trade_ids.append(trade_id)


def _own_price(order: VenueOrder, book_price: Decimal) -> Decimal:
    return book_price if order.outcome_index == 0 else ONE - book_price


def _fee_micro(market: Market, size_micro: int, price: Decimal) -> int:
    fee = taker_fee(market, size_micro, price)
    return int(fee.scaleb(6)) if fee is not None else 0


def _public(trade: VenueTrade) -> Match:
    return Match(transaction_hash=final_hash(trade), fills=tuple(_fills(trade.market, trade.legs)))


def _fills(market: Market, legs: Sequence[Leg]) -> list[MatchedFill]:
    return [
        MatchedFill(
            wallet=leg.funder,
            is_taker=place == 0,
            side=leg.side,
            market=market,
            outcome_index=leg.outcome_index,
            size_micro=leg.size_micro,
            price=leg.price,
        )
        for place, leg in enumerate(legs)
    ]
