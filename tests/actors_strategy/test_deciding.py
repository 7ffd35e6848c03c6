from decimal import Decimal

import attrs
import msgspec
import pytest
from actors_paper.paper_positions import ORDER, SALE
from actors_strategy.judged_trades import TRADE, market, settings_of, trade
from hypothesis import given
from property.examples import examples
from reference.random_strategies import batches

from actors.rules.strategy.deciding import aggregated, decide, decide_sale, wants_fill
from actors.rules.strategy.eligibility import Chain
from actors.rules.strategy.sizing import stake_usd
from actors.rules.strategy.traits import traits_of
from actors.rules.strategy.verdict import judge
from actors.rules.strategy_index import Runner, needs_of
from protocols.decisions import Book, Inputs, Reason
from protocols.strategies import AllocationMethod, EntryModel, Strategy

D = Decimal


def runner(number=1, **changes):
    return ready(settings_of(**changes), number)


def ready(settings, number=1, targets=None):
    strategy = Strategy(wallet_id=f"BOT_{number}", number=number, owner_id="o", version=number + 6, settings=settings)
    needs = needs_of(settings)
    return Runner(strategy=strategy, chain=Chain.of(settings, targets), part=needs.part, needs=needs)


class Broken(Chain):
    def first_failure(self, traits):
        raise ZeroDivisionError


def broken(number):
    one = runner(number)
    return attrs.evolve(one, chain=Broken(one.settings, ()))


def decided(*runners, inputs=TRADE, bankrolls=None, copied=(), errors=None):
    known = bankrolls if bankrolls is not None else {one.strategy.wallet_id: D(1000) for one in runners}
    told = [] if errors is None else errors
    return decide(
        runners, inputs, "now", known.get, lambda one: one.strategy.number in copied, lambda *what: told.append(what)
    )


def test_results_stand_beside_the_strategies_they_belong_to():
    made = decided(runner(3), runner(5, min_edge=D("0.2")), runner(2, bet_size=D(0)))
    assert (made.strategies, made.versions) == ((3, 5, 2), (9, 11, 8))
    assert made.reasons == ("taken", "insufficient_edge", "zero_stake")
    assert made.bankrolls == (1000, None, 1000)
    assert [order.wallet_id for order in made.orders] == ["BOT_3"]
    assert made.key == ("trade", "now")


def test_a_trade_that_was_copied_already_is_a_duplicate_and_makes_no_order():
    made = decided(runner(1), runner(2), copied={1})
    assert made.reasons == ("duplicate", "taken")
    assert [order.wallet_id for order in made.orders] == ["BOT_2"]


@pytest.mark.parametrize("cash", ["1.20", "1.2072"])
def test_the_fee_has_to_be_at_hand_too(cash):
    # 1.20 USD buy 3 shares at 0.40; 3 x 0.01 x 0.24 = 0.0072 on top.
    charged = trade(market=market(fee_rate=D("0.01")))
    made = decided(runner(entry_model=EntryModel.OBSERVED), inputs=charged, bankrolls={"BOT_1": D(cash)})
    assert made.reasons == ("taken" if D(cash) > D("1.20") else "insufficient_cash",)
    assert len(made.orders) == (D(cash) > D("1.20"))


def test_d72_a_rule_that_raises_costs_only_its_own_strategy():
    errors = []
    made = decided(runner(1), broken(2), runner(3), errors=errors)
    assert made.reasons == ("taken", "rule_error", "taken")
    assert [one.strategy.number for one, _ in errors] == [2]
    assert isinstance(errors[0][1], ZeroDivisionError)
    assert len(made.orders) == 2


def test_d72_an_account_that_is_not_known_is_an_error_of_its_strategy_and_no_zero():
    errors = []
    made = decided(runner(1), runner(2), bankrolls={"BOT_2": D(1000)}, errors=errors)
    assert (made.reasons, made.bankrolls) == (("rule_error", "taken"), (None, 1000))
    assert len(errors) == 1


def test_d57_an_outcome_keeps_its_name_and_an_absent_one_is_no_yes():
    for outcome in ("Yes", "No", "Lakers", "Over 2.5", "", None):
        (order,) = decided(runner(), inputs=trade(outcome=outcome)).orders
        assert (order.outcome, order.token_id) == (outcome, TRADE.token_id)


@examples(25)
@given(batches(trade_count=2, strategy_count=4))
def test_i6_equal_inputs_stake_equally_alone_beside_others_and_again_from_what_was_kept(batch):
    runners = [ready(pair.settings, number, pair.targets) for number, pair in enumerate(batch.pairs, 1)]
    for at, one in enumerate(batch.trades):
        bankrolls = {
            each.strategy.wallet_id: pair.bankrolls[at] for each, pair in zip(runners, batch.pairs, strict=True)
        }
        errors = []
        together = decided(*runners, inputs=one, bankrolls=bankrolls, errors=errors)
        alone = [decided(each, inputs=one, bankrolls=bankrolls) for each in reversed(runners)]
        assert errors == []
        assert together.reasons == tuple(made.reasons[0] for made in reversed(alone))
        assert list(together.orders) == [order for made in reversed(alone) for order in made.orders]
        again = traits_of(msgspec.json.decode(together.snapshot, type=Inputs))
        stakes = {order.wallet_id: order.stake for order in together.orders}
        for each in runners:
            wallet_id = each.strategy.wallet_id
            verdict = judge(each.chain, again, bankrolls[wallet_id])
            if wallet_id in stakes:
                assert stakes[wallet_id] == verdict.stake == stake_usd(each.settings, again, bankrolls[wallet_id])


def test_whether_a_book_is_worth_asking_for():
    never = runner(1, min_edge=D("0.9"))
    by_book = runner(2, entry_model=EntryModel.BOOK)
    thousand = {"BOT_1": D(1000), "BOT_2": D(1000)}
    assert wants_fill([never, by_book], TRADE, thousand.get)
    assert not wants_fill([never], TRADE, thousand.get)
    assert not wants_fill([by_book], TRADE, {"BOT_2": D(0)}.get)
    assert not wants_fill([by_book], TRADE, {}.get)
    assert not wants_fill([broken(1)], TRADE, thousand.get)
    assert wants_fill([broken(1), by_book], TRADE, thousand.get)


def test_without_a_book_nothing_is_bought_and_the_reason_says_so():
    made = decided(runner(entry_model=EntryModel.BOOK))
    assert (made.reasons, made.bankrolls, made.orders) == (("book_unavailable",), (1000,), ())


def sold(*runners, inputs=SALE, orders=None, errors=None):
    known = {one.strategy.wallet_id: [mine(one)] for one in runners} if orders is None else orders
    told = [] if errors is None else errors
    return decide_sale(
        runners, inputs, "now", lambda one: known[one.strategy.wallet_id], lambda *what: told.append(what)
    )


def mine(one, **changes):
    return attrs.evolve(ORDER, wallet_id=one.strategy.wallet_id, **changes)


def test_d41_a_sale_closes_his_share_of_each_strategy_that_copies_sales():
    copies, ignores = runner(1), runner(2, copy_sells=False)
    made = sold(copies, ignores)
    assert made.reasons == (Reason.TRADER_SELL, Reason.NOT_BUY)
    (close,) = made.closes
    # He sells 100 of 400 shares; 30 are open.
    assert (close.wallet_id, close.shares, close.share, close.price) == ("BOT_1", D("7.5"), D("0.25"), D("0.4985"))


def test_a_paused_strategy_sells_what_it_holds():
    assert sold(runner(1, is_active=False)).reasons == ("trader_sell",)


def test_what_a_book_does_not_take_stays_open_and_the_reason_says_why():
    by_book = runner(1, entry_model=EntryModel.BOOK)
    assert sold(by_book).reasons == ("book_unavailable",)
    low = Book(bids=((D("0.10"), D(100)),), asks=(), observed_ms=0)
    made = sold(by_book, inputs=msgspec.structs.replace(SALE, book=low))
    assert (made.reasons, made.closes) == (("slippage_exceeded",), ())


def test_d72_positions_that_cannot_be_read_cost_only_their_own_strategy():
    first, second = runner(1), runner(2)
    errors = []
    made = sold(first, second, orders={"BOT_2": [mine(second)]}, errors=errors)
    assert made.reasons == ("rule_error", "trader_sell")
    assert [close.wallet_id for close in made.closes] == ["BOT_2"]
    assert len(errors) == 1


def test_a_late_fill_of_a_decided_aggregate_buys_nothing():
    made = aggregated([runner(1), runner(2)], TRADE, "tx")
    assert (made.reasons, made.orders, made.key) == (("aggregated", "aggregated"), (), ("trade", "tx"))


def test_d23_kelly_stakes_of_the_bankroll_that_it_was_decided_with():
    kelly = runner(1, allocation_method=AllocationMethod.KELLY, max_bet=D(1000))
    (order,) = decided(kelly, bankrolls={"BOT_1": D(100)}).orders
    assert order.stake == D("8.28")  # 100 x 0.1988 / 0.6 x 0.25 = 8.2833
