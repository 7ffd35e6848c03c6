"""The matching engine against a slow one that looks at every pair of orders, and what no sequence of orders may break."""

from fractions import Fraction
from math import ceil, floor

import attrs
from exchange_world import NO, YES, ExchangeWorld
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK

from engine.simulator.exchange.events import TradeChanged

PRICES = st.integers(30, 70)
ORDERS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["BUY", "SELL"]),
        st.sampled_from([YES, NO]),
        PRICES,
        st.integers(500, 4_000),
        st.sampled_from(["GTC", "GTC", "GTC", "POST", "FAK", "FOK"]),
    ),
    min_size=2,
    max_size=14,
)
LEVELS = st.dictionaries(st.integers(1, 12), st.integers(100, 5_000), max_size=4)
ENDINGS = st.lists(st.sampled_from(["fine", "retry", "fail"]), max_size=14)


@attrs.define(eq=False)
class SlowOrder:
    """Amounts are fractions of shares and USD; a price is of the order's own outcome."""

    name: str
    side: str
    outcome: int
    price: Fraction
    left: Fraction
    dollars: Fraction | None = None

    def meets(self, maker: "SlowOrder") -> bool:
        if self.outcome == maker.outcome:
            if self.side == maker.side:
                return False
            buyer, seller = (self, maker) if self.side == "BUY" else (maker, self)
            return buyer.price >= seller.price
        if self.side != maker.side:
            return False
        total = self.price + maker.price
        return total >= 1 if self.side == "BUY" else total <= 1

    def price_against(self, maker: "SlowOrder") -> Fraction:
        return maker.price if self.outcome == maker.outcome else 1 - maker.price


def slow_takes(taker: SlowOrder, makers: list[SlowOrder]) -> tuple[list[tuple[str, Fraction, Fraction]], bool]:
    """Who gives how much at which price of the taker, and whether nothing of him is left. Changes nothing."""
    takes, left, dollars, used = [], taker.left, taker.dollars, set()
    while True:
        open_makers = [each for each in makers if each.name not in used and taker.meets(each)]
        if not open_makers:
            return takes, dollars is None and left == 0
        sign = 1 if taker.side == "BUY" else -1
        best = min(open_makers, key=lambda each: (sign * taker.price_against(each), makers.index(each)))
        used.add(best.name)
        price = taker.price_against(best)
        micro = Fraction(1, 10**6)
        wanted = left if dollars is None else floor(dollars / price / micro) * micro
        size = min(wanted, best.left)
        if size:
            takes.append((best.name, size, price))
            left -= size
            if dollars is not None:
                dollars -= ceil(size * price / micro) * micro
        if wanted <= best.left:
            return takes, True


def place(world, wallet, order):
    _, side, token, price, cents, kind = order
    order_type = "GTC" if kind == "POST" else kind
    size = f"{cents / 100:.2f}"
    return world.post(wallet, side, f"0.{price}", size, token=token, order_type=order_type, post_only=kind == "POST")


def start(bids, asks, **changed):
    world = ExchangeWorld(**changed)
    wallets = [world.wallet(f"wallet {number}", usd=100_000, yes=10_000, no=10_000) for number in range(3)]
    world.book(*levels_of(bids, asks, 50))
    return world, wallets


def levels_of(bids, asks, centre):
    return [
        {f"{(centre - step) / 100:.2f}": f"{size / 100}" for step, size in bids.items()},
        {f"{(centre + step) / 100:.2f}": f"{size / 100}" for step, size in asks.items()},
    ]


@QUICK
@given(ORDERS, LEVELS, LEVELS)
def test_orders_match_as_a_slow_matcher_says_by_price_and_then_by_time(orders, bids, asks):
    world, wallets = start(bids, asks)
    slow = [
        SlowOrder(f"bid {step}", "BUY", 0, Fraction(50 - step, 100), Fraction(size, 100)) for step, size in bids.items()
    ]
    slow += [
        SlowOrder(f"ask {step}", "SELL", 0, Fraction(50 + step, 100), Fraction(size, 100))
        for step, size in asks.items()
    ]
    for order in orders:
        number, side, token, price, cents, kind = order
        amount = Fraction(cents, 100)
        spends = kind in ("FAK", "FOK") and side == "BUY"
        taker = SlowOrder("", side, int(token == NO), Fraction(price, 100), amount, amount if spends else None)
        takes, complete = slow_takes(taker, slow)
        refused = (kind == "POST" and takes) or (kind == "FOK" and not complete) or (kind == "FAK" and not takes)
        trades_before = len(world.exchange.trades)
        reply = place(world, wallets[number], order)
        assert reply.status == (400 if refused else 200), reply.body
        if refused:
            assert len(world.exchange.trades) == trades_before
            continue
        taker.name = reply.body["orderID"]
        if takes:
            trade = list(world.exchange.trades.values())[-1]
            assert len(world.exchange.trades) == trades_before + 1
            by_name = {each.name: each for each in slow}
            assert len(trade.makers) == len(takes)
            for leg, (name, size, own_price) in zip(trade.makers, takes, strict=True):
                assert leg.is_house == name.startswith(("bid", "ask"))
                assert leg.is_house or leg.order_id == name
                assert Fraction(leg.size_micro, 10**6) == size
                at = Fraction(leg.price)
                assert (at if leg.outcome_index == taker.outcome else 1 - at) == own_price
                by_name[name].left -= size
                taker.left -= size
            slow = [each for each in slow if each.left]
        else:
            assert len(world.exchange.trades) == trades_before
        if kind in ("GTC", "POST") and taker.left > 0:
            slow.append(taker)
    # What rests is what the slow matcher has left over.
    resting = {each.order_id: Fraction(each.remaining_micro, 10**6) for each in world.exchange.orders.all_open()}
    assert resting == {each.name: each.left for each in slow if each.name.startswith("0x")}


@QUICK
@given(ORDERS, LEVELS, LEVELS, ENDINGS, st.lists(st.integers(-15, 15), max_size=14))
def test_no_money_and_no_share_is_made_or_lost(orders, bids, asks, endings, moves):
    world, wallets = start(bids, asks)
    clearing = world.exchange.clearing
    deposited = world.exchange.accounts.deposited_micro
    for place_in_line, order in enumerate(orders):
        ending = endings[place_in_line] if place_in_line < len(endings) else "fine"
        if ending != "fine":
            world.exchange.faults.add("trade_failed" if ending == "fail" else "trade_retrying", count=1)
        place(world, wallets[order[0]], order)
        if place_in_line < len(moves) and moves[place_in_line]:
            # The house comes to where orders rest, and takes them.
            world.book(*levels_of(bids, asks, 50 + moves[place_in_line]))
        world.exchange.faults.clear()
        world.advance(400)
        assert clearing.total_micro() == deposited
        assert clearing.shares_micro(YES) == clearing.shares_micro(NO)
        for account in world.exchange.accounts:
            assert account.collateral_micro >= 0
            assert all(shares > 0 for shares in account.positions.values())
            assert world.exchange.free_micro(account, None) >= 0
            assert all(world.exchange.free_micro(account, token) >= 0 for token in (YES, NO))
    world.advance(10_000)
    world.advance(10_000)
    assert clearing.total_micro() == deposited
    assert clearing.escrow_micro == 0
    # Every pair of outcomes has its dollar.
    assert clearing.locked[world.market.condition_id] == clearing.shares_micro(YES)
    assert not any(clearing.escrow_shares.values())
    final = {each.trade.trade_id: each.status for each in world.events if isinstance(each, TradeChanged)}
    assert set(final.values()) <= {"CONFIRMED", "FAILED"}
    assert final.keys() == world.exchange.trades.keys()


@QUICK
@given(ORDERS, LEVELS, LEVELS)
def test_nobody_pays_or_gets_worse_than_his_limit(orders, bids, asks):
    world, wallets = start(bids, asks)
    for order in orders:
        place(world, wallets[order[0]], order)
    for trade in world.exchange.trades.values():
        for leg in trade.legs:
            order = world.exchange.orders.get(leg.order_id)
            if order is None:
                continue
            worst = leg.size_micro * order.price
            # A taker may lose less than a micro in each of his matches.
            slack = len(trade.makers) if leg is trade.taker else 0
            assert leg.cash_micro <= worst + slack if leg.side == "BUY" else leg.cash_micro >= worst - slack
            if order.spend_micro is not None:
                assert order.paid_micro <= order.spend_micro
            else:
                assert order.matched_micro <= order.size_micro


@QUICK
@given(ORDERS, LEVELS, LEVELS)
def test_the_book_is_never_crossed_and_what_is_told_adds_up_to_it(orders, bids, asks):
    world, wallets = start(bids, asks)
    told = {}
    view = world.exchange.book_of(world.market, world.now_ms).view(0, world.now_ms)
    for side, levels in (("BUY", view.bids), ("SELL", view.asks)):
        told |= {(side, price): size for price, size in levels}
    world.events.clear()
    for order in orders:
        place(world, wallets[order[0]], order)
        view = world.exchange.book_of(world.market, world.now_ms).view(0, world.now_ms)
        assert view.best_bid is None or view.best_ask is None or view.best_bid < view.best_ask
    for event in world.events:
        for change in getattr(event, "changes", ()):
            if change.outcome_index == 0:
                told[change.side, change.price] = change.size_micro / 10**6
    assert {key: float(size) for key, size in told.items() if size} == {
        (side, price): float(size)
        for side, levels in (("BUY", view.bids), ("SELL", view.asks))
        for price, size in levels
    }
