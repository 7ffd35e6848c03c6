from collections import Counter
from itertools import pairwise

import pytest

from engine.simulator.market import MarketDirectory, MarketState
from engine.simulator.platform import Platform

ORIGIN_MS = 1_795_000_000_000


def played(seed, seconds, **options):
    directory = MarketDirectory()
    chosen = {"wallets": 20_000, "markets": 400} | options
    platform = Platform(directory, seed=seed, origin_ms=ORIGIN_MS, **chosen)
    blocks = []
    while not blocks or blocks[-1].offset_s < seconds:
        block = platform.next_block()
        for change in block.before:
            change(ORIGIN_MS + round(block.offset_s * 1000))
        for match in block.matches:
            for fill in match.fills:
                assert fill.market.state is MarketState.OPEN
                fill.market.record_trade(fill.outcome_index, fill.price, fill.side, 0)
        blocks.append(block)
    return directory, blocks


@pytest.fixture(scope="module")
def hour():
    return played(7, 3_600)


@pytest.fixture(scope="module")
def fills(hour):
    return [fill for block in hour[1] for match in block.matches for fill in match.fills]


@pytest.fixture(scope="module")
def matches(hour):
    return [match for block in hour[1] for match in block.matches]


def share_below(values, limit):
    return sum(value < limit for value in values) / len(values)


def test_rows_come_in_blocks_at_the_recorded_rate(hour, fills):
    blocks = hour[1]
    assert 24 <= len(fills) / 3_600 <= 52
    intervals = [after.offset_s - before.offset_s for before, after in pairwise(blocks)]
    assert all(1.5 <= interval <= 2.0 for interval in intervals)


def test_the_same_seed_gives_the_same_rows():
    def rows(seed):
        return [
            (block.offset_s, match.transaction_hash, fill.wallet, fill.market.slug, fill.side, fill.size_micro, fill.price)
            for block in played(seed, 120)[1]
            for match in block.matches
            for fill in match.fills
        ]  # fmt: skip

    assert rows(3) == rows(3)
    assert rows(3) != rows(4)


def test_notional_is_spread_over_seven_orders_of_magnitude(fills):
    usd = [float(fill.size_micro * fill.price) / 1e6 for fill in fills]
    assert 0.15 <= share_below(usd, 1) <= 0.35
    assert 0.4 <= share_below(usd, 7.8) <= 0.68
    assert 0.82 <= share_below(usd, 176) <= 0.94
    assert max(usd) > 5_000


def test_prices_and_sizes_are_like_recorded_ones(fills):
    prices = [float(fill.price) for fill in fills]
    assert 0 < min(prices) <= max(prices) < 1
    assert 0.15 <= share_below(prices, 0.19) <= 0.35
    assert 0.4 <= share_below(prices, 0.55) <= 0.65
    sizes = sorted(fill.size_micro / 1e6 for fill in fills)
    assert 8 <= sizes[len(sizes) // 2] <= 40
    assert 200 <= sizes[len(sizes) * 9 // 10] <= 900


def test_buyers_are_three_quarters(fills):
    late = fills[len(fills) // 4 :]
    assert 0.65 <= sum(fill.side == "BUY" for fill in late) / len(late) <= 0.85


def test_takers_have_a_heavy_tail(matches):
    counts = Counter(
        match.fills[0].wallet for match in matches if match.fills[0].size_micro * match.fills[0].price >= 10**8
    )
    trades = sorted(counts.values(), reverse=True)
    assert 0.6 <= sum(count == 1 for count in trades) / len(trades) <= 0.82
    assert 0.08 <= sum(trades[: len(trades) // 100]) / sum(trades) <= 0.25
    assert 0.3 <= sum(trades[: len(trades) // 10]) / sum(trades) <= 0.55


def test_matches_balance_and_many_are_mints(matches):
    mints = 0
    for match in matches:
        taker, *makers = match.fills
        assert taker.is_taker
        assert taker.wallet not in {maker.wallet for maker in makers}
        assert not any(maker.is_taker for maker in makers)
        assert sum(maker.size_micro for maker in makers) == taker.size_micro
        assert min(maker.size_micro for maker in makers) > 0
        mints += taker.side == makers[0].side == "BUY"
        for maker in makers:
            assert maker.market is taker.market
            assert (maker.outcome_index == taker.outcome_index) == (maker.side != taker.side)
    assert 0.4 <= mints / len(matches) <= 0.7


def test_a_takers_price_is_the_average_of_his_makers(matches):
    for match in matches:
        taker, *makers = match.fills
        same = [maker.price if maker.outcome_index == taker.outcome_index else 1 - maker.price for maker in makers]
        paid = sum(maker.size_micro * price for maker, price in zip(makers, same, strict=True))
        assert abs(paid / taker.size_micro - taker.price) < 1e-15
    off_grid = sum((match.fills[0].price * 1000) % 1 != 0 for match in matches) / len(matches)
    assert 0.15 <= off_grid <= 0.4


def test_transactions_have_several_rows_and_some_of_them_are_identical(matches):
    rows = Counter(len(match.fills) for match in matches)
    assert min(rows) == 2
    assert max(rows) >= 10
    pairs = 0
    for match in matches:
        seen = Counter(
            (fill.wallet, fill.side, fill.outcome_index, fill.size_micro, fill.price) for fill in match.fills
        )
        pairs += sum(count > 1 for count in seen.values())
    assert 0.002 <= pairs / sum(rows.values()) <= 0.03


def test_outcomes_have_many_names_in_several_scripts(fills):
    labels = {fill.market.outcomes[fill.outcome_index] for fill in fills}
    assert len(labels) >= 150
    assert any(not label.isascii() for label in labels)


def test_markets_close_resolve_and_are_voided_while_new_ones_open():
    directory, _ = played(5, 3_600, life_scale=0.1, markets=100)
    counts = directory.counts()
    # A hundred that trade, and the few that will take the places of those that end next.
    assert 100 <= counts["open"] < 120
    assert counts["resolved"] > 150
    voided = [market for market in directory if market.payouts == (500_000, 500_000)]
    assert 0.002 <= len(voided) / counts["resolved"] <= 0.06
    for market in directory:
        if market.state is MarketState.RESOLVED:
            assert market.closed_ms is not None
            assert abs(market.closed_ms - market.end_ms) < 5_000


@pytest.mark.parametrize(("life_scale", "ahead_s"), [(1.0, 298), (0.1, 28)])
def test_a_market_is_listed_a_while_before_anybody_trades_in_it(life_scale, ahead_s):
    directory = MarketDirectory()
    platform = Platform(directory, seed=5, origin_ms=ORIGIN_MS, wallets=500, markets=100, life_scale=life_scale)
    began = set(directory)
    known_s, traded_s = dict[str, float](), dict[str, float]()
    directory.on_add.append(lambda market: known_s.setdefault(market.condition_id, platform.describe()["offset_s"]))
    while platform.describe()["offset_s"] < 3_600 * life_scale:
        for change in (block := platform.next_block()).before:
            change(ORIGIN_MS + round(block.offset_s * 1000))
        for match in block.matches:
            for fill in match.fills:
                traded_s.setdefault(fill.market.condition_id, block.offset_s)
    newer = [market for market in directory if market not in began and market.condition_id in traded_s]
    # Who takes the place of one that ends soon after the beginning cannot be listed long before.
    newer = [market for market in newer if known_s[market.condition_id] > 2]
    assert len(newer) >= 30
    for market in newer:
        listed_s = known_s[market.condition_id]
        # A flip of five minutes is listed when the one before it opens.
        assert traded_s[market.condition_id] - listed_s >= ahead_s
        assert market.start_ms == pytest.approx(ORIGIN_MS + listed_s * 1000, abs=2)
    assert platform.describe()["open_markets"] == 100


def test_nobody_but_professionals_sells_what_he_never_bought():
    directory = MarketDirectory()
    platform = Platform(directory, seed=9, origin_ms=ORIGIN_MS, wallets=500, markets=30)
    held: Counter[tuple[str, str, int]] = Counter()
    for _ in range(300):
        for match in platform.next_block().matches:
            for fill in match.fills:
                place = (fill.wallet, fill.market.condition_id, fill.outcome_index)
                held[place] += fill.size_micro if fill.side == "BUY" else -fill.size_micro
                if fill.wallet not in platform.population.houses:
                    assert held[place] >= 0


def test_the_rate_scales():
    _, calm = played(3, 300, rate_scale=0.2)
    _, busy = played(3, 300, rate_scale=5.0)
    assert sum(len(block.matches) for block in busy) > 15 * sum(len(block.matches) for block in calm)
