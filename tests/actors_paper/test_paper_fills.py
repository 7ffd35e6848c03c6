import json
import uuid
from decimal import Decimal

import pytest
from actors_paper.paper_positions import book, market, sale
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY

from actors.rules.paper.fees import taker_fee
from actors.rules.paper.fill import exit_price, fill_buy
from actors.rules.paper.orders import order_id_of, paper_order
from actors.rules.strategy.traits import traits_of
from protocols.decisions import Absent, Present, Reason
from protocols.strategies import EntryModel, Strategy, StrategySettings

D = Decimal
BY = {model: StrategySettings(entry_model=model) for model in EntryModel}
TEN = D(10)


def buy(price="0.40", **changes):
    return sale(side="BUY", price=D(price), holding_micro=None, **changes)


def test_slip_pays_three_tenths_of_a_per_cent_more_and_rounds_shares_down():
    fill = fill_buy(BY[EntryModel.SLIP], buy(), TEN)
    assert fill.entry_price == D("0.4012")
    assert fill.shares == D("24.925224")  # 10 / 0.4012 = 24.92522432...
    assert (fill.stake, fill.fee) == (10, 0)
    assert json.loads(fill.inputs_json) == {"model": "slip", "price": "0.40", "feeRate": None}


def test_observed_pays_what_the_leader_paid():
    fill = fill_buy(BY[EntryModel.OBSERVED], buy(), TEN)
    assert (fill.entry_price, fill.shares) == (D("0.40"), 25)


def test_the_fee_of_the_market_comes_on_top():
    charged = buy(market=market(fee_rate=D("0.05")))
    fill = fill_buy(BY[EntryModel.OBSERVED], charged, TEN)
    assert fill.fee == D("0.30000")  # 25 x 0.05 x 0.4 x 0.6
    assert fill.stake == 10


@pytest.mark.parametrize("model", [EntryModel.SLIP, EntryModel.OBSERVED])
def test_a_price_of_zero_or_of_dust_buys_nothing(model):
    assert fill_buy(BY[model], buy("0"), TEN) is Reason.ZERO_STAKE
    assert fill_buy(BY[model], buy("0.000000000000000001"), TEN) is Reason.PRICE_OUT_OF_RANGE


def test_a_book_is_walked_best_first_up_to_the_limit():
    # Limit 0.40 x 1.03 = 0.412. 10 shares at 0.40 cost 4; the other 6 USD buy 14.634146 at 0.41.
    asks = (("0.40", "10"), ("0.41", "50"), ("0.42", "1000"))
    fill = fill_buy(BY[EntryModel.BOOK], buy(book=book(asks=asks)), TEN)
    assert fill.shares == D("24.634146")
    assert fill.stake == D("10.000000")  # 4 + 14.634146 x 0.41 = 9.99999986
    assert abs(fill.entry_price - D("9.99999986") / D("24.634146")) < D("1e-18")
    looked_at = json.loads(fill.inputs_json)
    assert looked_at["levels"] == [["0.40", "10"], ["0.41", "14.634146"]]
    assert D(looked_at["limit"]) == D("0.412")


def test_a_thin_book_fills_what_is_there():
    fill = fill_buy(BY[EntryModel.BOOK], buy(book=book(asks=(("0.41", "5"), ("0.42", "1000")))), TEN)
    assert (fill.shares, fill.stake, fill.entry_price) == (5, D("2.05"), D("0.41"))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (None, Reason.BOOK_UNAVAILABLE),
        (book(bids=(("0.39", "10"),)), Reason.BOOK_UNAVAILABLE),
        (book(asks=(("0.4121", "10"),)), Reason.SLIPPAGE_EXCEEDED),
    ],
)
def test_a_book_without_anything_up_to_the_limit_says_why(found, reason):
    assert fill_buy(BY[EntryModel.BOOK], buy(book=found), TEN) is reason


def test_the_limit_itself_may_be_paid_and_never_more_than_9999():
    at_limit = fill_buy(BY[EntryModel.BOOK], buy(book=book(asks=(("0.412", "100"),))), TEN)
    assert at_limit.entry_price == D("0.412")
    sure = buy("0.999", book=book(asks=(("0.99991", "100"),)))
    assert fill_buy(BY[EntryModel.BOOK], sure, TEN) is Reason.SLIPPAGE_EXCEEDED


@MANY
@given(
    st.lists(st.tuples(st.integers(1, 999), st.integers(10_000, 10**9)), min_size=1, max_size=6),
    st.integers(1, 10**6),
    st.integers(1, 999),
)
def test_a_fill_from_a_book_costs_no_more_than_the_stake_nor_a_worse_price_than_the_limit(levels, stake_cents, milli):
    asks = [(D(price).scaleb(-3), D(size).scaleb(-6)) for price, size in sorted(levels)]
    stake, price = D(stake_cents).scaleb(-2), D(milli).scaleb(-3)
    fill = fill_buy(BY[EntryModel.BOOK], buy(str(price), book=book(asks=asks)), stake)
    limit = min(D("0.9999"), price * D("1.03"))
    depth = sum(size for ask, size in asks if ask <= limit)
    if isinstance(fill, Reason):
        assert depth == 0
        return
    assert 0 < fill.stake <= stake
    assert 0 < fill.shares <= depth
    assert asks[0][0] <= fill.entry_price <= limit
    assert abs(fill.shares * fill.entry_price - fill.stake) <= D("0.000001")


def test_a_sale_brings_what_the_entry_model_says():
    assert exit_price(BY[EntryModel.SLIP], sale(), D(30)) == D("0.4985")  # 0.50 x 0.997
    assert exit_price(BY[EntryModel.OBSERVED], sale(), D(30)) == D("0.50")
    bids = (("0.50", "10"), ("0.49", "20"), ("0.48", "1000"))
    by_book = sale(book=book(bids=bids))
    assert exit_price(BY[EntryModel.BOOK], by_book, D(25)) == D("0.494")  # (10 x 0.50 + 15 x 0.49) / 25
    assert exit_price(BY[EntryModel.BOOK], sale(), D(25)) is Reason.BOOK_UNAVAILABLE
    too_low = sale(book=book(bids=(("0.48", "1000"),)))
    assert exit_price(BY[EntryModel.BOOK], too_low, D(25)) is Reason.SLIPPAGE_EXCEEDED  # below 0.50 x 0.97


def made_order(settings=BY[EntryModel.SLIP], wallet_id="BOT", **changes):
    strategy = Strategy(wallet_id=wallet_id, number=1, owner_id="owner", version=3, settings=settings)
    inputs = buy(**changes)
    return paper_order(strategy, inputs, traits_of(inputs), fill_buy(settings, inputs, TEN))


def test_an_order_has_the_same_id_whenever_it_is_made_and_another_one_for_each_strategy_and_trade():
    assert made_order().order_id == made_order(now_ms=1).order_id == order_id_of("BOT", "sale")
    assert uuid.UUID(made_order().order_id).version == 5
    ids = {order_id_of(bot, trade) for bot in ("A", "AB") for trade in ("BC", "C", "1")}
    assert len(ids) == 6


def test_an_order_says_what_it_copies_and_by_which_record():
    order = made_order(score=Present(probability=D("0.7")), members=("sale", "other"))
    assert (order.version, order.source_trade_id, order.members) == (3, "sale", ("sale", "other"))
    assert (order.signal_price, order.entry_price, order.cost) == (D("0.40"), D("0.4012"), 10)
    assert (order.win_rate, order.resolved_count, order.edge) == (D("0.5"), 0, D("0.0988"))
    assert order.model_probability is None


def test_i8_an_order_has_a_probability_only_where_the_model_was_asked_and_answered():
    asks = StrategySettings(use_model=True, model_threshold=D(0))
    assert made_order(asks, score=Present(probability=D(0))).model_probability == 0
    assert made_order(asks, score=Absent(reason="timeout")).model_probability is None


def test_a_book_of_dust_gives_no_order_that_cannot_be_kept():
    crumb = buy("0.3", book=book(asks=(("0.3", "0.000001"),)))
    assert fill_buy(BY[EntryModel.BOOK], crumb, TEN) is Reason.ZERO_STAKE
    dust = buy("0.3", book=book(asks=(("0.000000000000000001", "1" + "0" * 20),)))
    assert fill_buy(BY[EntryModel.BOOK], dust, TEN) is Reason.PRICE_OUT_OF_RANGE


def test_a_fee_without_exponent_is_charged_at_every_price():
    assert taker_fee(TEN, D(1), D("0.01"), 0) == D("0.10000")
