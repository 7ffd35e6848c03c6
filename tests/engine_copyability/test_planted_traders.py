"""Traders whose truth is known: edges smaller and larger than the costs, a market maker, a capacity, intervals that hold."""

from decimal import Decimal

import pytest
from engine_copyability.copy_world import BEGAN_S, CONFIG, DAY_S, LEADER, market, planted, prices_of, trade

from actors.rules.copyability.copies import Copy, Costs
from actors.rules.copyability.depth import DepthModel
from engine.copyability.copy_replay import Assumed, CopyTape, play
from engine.copyability.mirror import LADDER, ladder_of
from engine.copyability.scoring import Scored, copyability_of, days_of

DAYS = 60


def scored(rows, markets, *, size=20, days=DAYS, assumed=None, sizes=None, seed=1):
    ordered = sorted(rows, key=lambda row: row.timestamp_s)
    usd = [Decimal(one) for one in sizes] if sizes else ladder_of(Decimal(size))
    tape = CopyTape(rows=ordered, resolutions=markets, prices=prices_of(ordered))
    found = play(CONFIG, tape, {LEADER: usd}, assumed or Assumed(delay_ms=3_000))
    about = Scored(
        wallet=LEADER,
        size_usd=Decimal(size),
        since_ms=BEGAN_S * 1000,
        until_ms=(BEGAN_S + days * DAY_S) * 1000,
        computed_ms=(BEGAN_S + days * DAY_S) * 1000,
        truncated=False,
        delay_ms=3_000,
        delay_source="as planted",
        depth_source="made up from prices",
        seed=seed,
    )
    return copyability_of(about, ordered, {size: found[LEADER, size] for size in usd})


@pytest.fixture(scope="module")
def gifted():
    return scored(*planted(3, days=DAYS, a_day=5, edge=0.30))


def test_an_edge_larger_than_the_costs_comes_out_positive(gifted):
    assert gifted.grade == "good"
    assert gifted.low > 0
    assert gifted.copied == gifted.decisions == DAYS * 5
    assert gifted.days == DAYS
    assert gifted.won + gifted.lost == gifted.copied
    assert "Worth copying with 20 USD" in gifted.sentence
    assert gifted.flags == []


def test_an_edge_smaller_than_the_costs_comes_out_negative():
    # 51 of 100 win what costs a half: two cents on a dollar, and less than the fee alone.
    rows = [trade(number, number // 10 * DAY_S + number % 10 * 3_600, "0.5") for number in range(600)]
    markets = [
        market(number, wins=number * 37 % 100 < 51, closed_s=number // 10 * DAY_S + 80_000, rate="0.05")
        for number in range(600)
    ]
    poor = scored(rows, markets, sizes=[5, 20, 250])
    assert poor.gross > 0 > poor.net
    assert poor.net_return < 0
    assert poor.capacity == "none"


def test_no_edge_at_all_is_surely_a_loss_when_enough_is_seen():
    # Fees and spread of three cents and more on each dollar, over a thousand copies with outcomes near even.
    rows, markets = planted(5, days=DAYS, a_day=20, edge=-0.10)
    assert scored(rows, markets, sizes=[20]).grade == "bad"


def test_costs_and_profit_add_up_in_the_document(gifted):
    costs = gifted.costs
    parts = gifted.gross - costs.delay - costs.spread - costs.depth - costs.fees
    assert abs(parts - gifted.net) <= Decimal("0.03")
    assert costs.fees > 0 < costs.spread
    mine = next(one for one in gifted.sizes if one.size_usd == 20)
    assert (mine.net, mine.stake, mine.copied) == (gifted.net, gifted.stake, gifted.copied)
    assert gifted.low < gifted.net_return < gifted.high
    assert abs(mine.net_return - gifted.net_return) < Decimal("0.00001")


def test_the_return_falls_with_the_size_until_nothing_is_left(gifted):
    returns = [one.net_return for one in gifted.sizes]
    assert [one.size_usd for one in gifted.sizes] == sorted({*LADDER, Decimal(20)})
    assert returns == sorted(returns, reverse=True)
    assert gifted.capacity in ("found", "above")
    assert gifted.sizes[-1].filled < Decimal("0.9")
    assert gifted.capacity_usd <= gifted.sizes[-2].size_usd, "what books did not have counts for nothing"


def test_the_capacity_of_a_planted_depth_is_found():
    """Books of two prices: 100 USD at p + 1 cent, everything else at p + 20; purchases at a half pay one USD or nothing."""
    # 55 of 100 win: at 51 cents a return of 55 / 51 - 1; what is beyond 100 USD loses, 55 / 70 - 1 of it.
    rows = [trade(number, number // 5 * DAY_S + number % 5 * 3_600, "0.5") for number in range(200)]
    markets = [
        market(number, wins=number % 20 < 11, closed_s=number // 5 * DAY_S + 80_000, rate="0") for number in range(200)
    ]
    sizes = [20, 100, 120, 140, 160, 180, 200]
    found = scored(rows, markets, sizes=sizes, assumed=Assumed(delay_ms=3_000, model=TwoPrices()))
    # 100 (55/51 - 1) = (s - 100) (1 - 55/70), so s is 136.6: between 120 and 140 the line is nearly straight.
    assert found.capacity == "found"
    assert abs(found.capacity_usd - 136) <= 3
    shallow = scored(
        rows, markets, sizes=sizes[:4], assumed=Assumed(delay_ms=3_000, model=TwoPrices(touch_usd=Decimal(10**6)))
    )
    assert (shallow.capacity, shallow.capacity_usd) == ("above", 140)


class TwoPrices(DepthModel):
    def __init__(self, touch_usd=Decimal(100)):
        super().__init__(half_spread=Decimal("0.01"), touch_usd=touch_usd, growth=Decimal(10_000), levels=2)

    def activity(self, day_usd):
        return Decimal(1)

    def book(self, price, day_usd, observed_ms):
        made = super().book(price, day_usd, observed_ms)
        (near, size), (_, _) = made.asks
        far = near + Decimal("0.19")
        return type(made)(asks=((near, size), (far, Decimal(10**9))), bids=made.bids, observed_ms=observed_ms)


def test_a_market_maker_is_flagged_and_an_ordinary_trader_is_not(gifted):
    quotes = [
        trade(number // 40, 1_000 + number * 30, "0.51" if number % 2 else "0.50", side="SELL" if number % 2 else "BUY")
        for number in range(400)
    ]
    markets = [market(number, wins=True, closed_s=50_000) for number in range(10)]
    found = scored(quotes, markets, sizes=[20], days=1)
    assert {flag.name for flag in found.flags} == {"market_maker", "high_frequency"}
    assert found.net < 0, "who copies a market maker pays the spread that he earns"


def test_few_trades_give_a_sentence_and_no_number():
    few = scored(*planted(6, days=10, a_day=3, edge=0.5), sizes=[20, 100])
    assert few.grade == "not_enough"
    assert (few.net_return, few.low, few.high, few.capacity) == (None, None, None, "unknown")
    assert "30 of 40 finished copies" in few.sentence
    assert few.copied == 30


def test_nobody_who_traded_nothing_is_judged():
    found = scored([], [], sizes=[20, 100])
    assert (found.grade, found.copied, found.decisions, found.trades) == ("not_enough", 0, 0, 0)


def test_copies_of_one_market_are_one_block_on_the_day_of_the_first():
    made = [(0, "a", 10, 1), (1, "a", 10, 2), (1, "b", 10, 4), (5, "a", 10, 8), (5, "c", 10, 16)]
    copies = [
        Copy(
            trade_ms=day * DAY_S * 1000,
            condition_id=of,
            stake=Decimal(stake),
            wanted=Decimal(20),
            net=Decimal(net),
            costs=Costs(),
        )
        for day, of, stake, net in reversed(made)
    ]  # fmt: skip
    found = {day: (one.stake_micro, one.net_micro) for day, one in days_of(copies).items()}
    assert found == {0: (30_000_000, 11_000_000), 1: (10_000_000, 4_000_000), 5: (10_000_000, 16_000_000)}


def held(traders, days, a_day, edge):
    """How many intervals hold the mean return of a law of traders: of all of them together, known to a tenth of a width."""
    found = [
        scored(*planted(1_000 + one, days=days, a_day=a_day, edge=edge), sizes=[20], seed=one) for one in range(traders)
    ]
    enough = [one for one in found if one.net_return is not None]
    truth = sum(one.net for one in found) / sum(one.stake for one in found)
    return sum(one.low <= truth <= one.high for one in enough), len(enough)


def test_intervals_of_replayed_traders_hold_the_truth():
    hits, seen = held(60, 20, 3, 0.05)
    assert seen > 50
    assert abs(hits / seen - 0.9) < 3 * (0.09 / seen) ** 0.5


@pytest.mark.slow
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("edge", [-0.05, 0.0, 0.10])
def test_intervals_of_many_replayed_traders_hold_the_truth(edge):
    hits, seen = held(250, 25, 3, edge)
    assert abs(hits / seen - 0.9) < 3 * (0.09 / seen) ** 0.5 + 0.02
