"""Trials that are replays of stored trades: every order accounted for, and nothing of what became known later."""

from collections import Counter
from decimal import Decimal

import attrs
import pytest
import trio
from engine_tuner.planted_rows import DAY_MS, TRADER, PlantedRows, planted_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.rules.tuner.parts import parts_of
from config.loader import load_config
from config.schema import EngineConfig
from engine.replay.stored import stored_tape
from engine.tuner.replayed import LoadedTape, ReplayTrials, as_played
from engine.tuner.searching import NOBODY, search
from protocols.backtest import BacktestQuery
from protocols.strategies import EntryModel, Strategy, StrategySettings, StrategyTable, TargetMode
from protocols.tuner_search import SearchOrder, Subject

CONFIG: EngineConfig = load_config(environ={})
NOW_MS = 20_000 * DAY_MS + 6 * 3_600_000
UNTIL_MS = 20_000 * DAY_MS
PARTS = parts_of(NOW_MS, days=30, validation_days=9)
MIRROR = StrategySettings(
    agent_managed=True,
    target_mode=TargetMode.LIST,
    target_traders=(TRADER,),
    min_edge=None,
    min_trader_resolved_count=0,
)
CHEAP = attrs.evolve(MIRROR, price_max=Decimal("0.5"))


def trials(store: PlantedRows) -> ReplayTrials:
    def load(window, wallets=None):
        query = BacktestQuery(since_ms=window.since_ms, until_ms=window.until_ms)

        async def tape():
            return LoadedTape(await stored_tape(store, query, known_until_ms=window.until_ms))

        return trio.run(tape)

    return ReplayTrials(config=CONFIG, load=load, seed=1)


def table(*strategies, followed=None):
    return StrategyTable(version=1, strategies=strategies, followed=followed or {}, leaderboard=())


def strategy(name="A", settings=MIRROR):
    return Strategy(wallet_id=name, number=1, owner_id="ann", version=3, settings=settings)


def test_each_order_that_was_over_in_the_window_is_a_bet_and_the_others_are_embargoed():
    store = planted_rows(1, until_ms=UNTIL_MS, a_day=20)
    found = trials(store).play({"all": MIRROR, "cheap": CHEAP}, PARTS.train)
    train = [one for one in store.trades_ if one.trade_ms < PARTS.train.until_ms]
    over = [one for one in train if store.markets_[one.condition_id].ended_ms <= PARTS.train.until_ms]
    assert 0 < len(over) < len(train)
    assert {one.token_id for one in found["all"].bets} == {one.token_id for one in over}
    assert found["all"].unsettled == len(train) - len(over)
    paid = {one.token_id: store.markets_[one.condition_id].pays for one in over}
    assert {one.token_id: bool(one.wins) for one in found["all"].bets} == paid
    assert {one.token_id for one in found["cheap"].bets} == {
        one.token_id for one in over if one.price <= Decimal("0.5")
    }
    for one in found["all"].bets:
        assert one.pnl_micro == pytest.approx((one.held_shares_micro if one.wins else 0) - one.staked_micro, abs=2)
        assert 1.0 <= one.staked_micro / 1_200_000 < 1.05
        assert one.held_shares_micro == pytest.approx(1_200_000 / one.price, rel=1e-3)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 1_000), turned=st.sets(st.integers(0, 300)), dropped=st.sets(st.integers(200, 300)))
def test_nothing_that_happens_after_the_split_changes_the_training_part(seed, turned, dropped):
    store = planted_rows(seed, until_ms=UNTIL_MS, a_day=10)
    split_ms = PARTS.train.until_ms
    before = trials(store).play({"all": MIRROR, "cheap": CHEAP}, PARTS.train)
    later = {id_ for id_, one in store.markets_.items() if one.ended_ms > split_ms}
    markets = {
        id_: attrs.evolve(one, pays=one.pays != (one.number in turned)) if id_ in later else one
        for id_, one in store.markets_.items()
    }
    trades = [one for number, one in enumerate(store.trades_) if not (number in dropped and one.trade_ms >= split_ms)]
    assert trials(PlantedRows(trades, markets)).play({"all": MIRROR, "cheap": CHEAP}, PARTS.train) == before


def test_no_trade_is_in_both_parts():
    store = planted_rows(2, until_ms=UNTIL_MS, a_day=10)
    tried = trials(store)
    train, validation = (tried.play({"all": MIRROR}, one)["all"] for one in (PARTS.train, PARTS.validation))
    tokens = Counter(bet.token_id for bet in (*train.bets, *validation.bets))
    assert max(tokens.values()) == 1
    assert (
        max(bet.day for bet in train.bets)
        < PARTS.validation.since_ms // DAY_MS
        <= min(bet.day for bet in validation.bets)
    )


def test_a_window_without_trades_is_no_failure():
    empty = trials(PlantedRows([], {})).play({"all": MIRROR}, PARTS.train)
    assert (empty["all"].bets, empty["all"].unsettled) == ((), 0)


def test_targets_are_named_and_a_fill_from_the_book_needs_none():
    owner = Strategy(
        wallet_id="A", number=1, owner_id="ann", version=1,
        settings=StrategySettings(target_mode=TargetMode.FOLLOWED, entry_model=EntryModel.BOOK, start_date=5, is_active=False),
    )  # fmt: skip
    found = as_played(owner, table(owner, followed={"ann": {TRADER}}))
    assert (found.target_mode, found.target_traders) == (TargetMode.LIST, (TRADER,))
    assert (found.entry_model, found.start_date, found.is_active) == (EntryModel.SLIP, None, True)


def test_a_search_over_stored_trades_finds_what_is_planted_and_knows_who_copies_nobody():
    store = planted_rows(3, until_ms=UNTIL_MS, a_day=40)
    asked = []

    def load(window, wallets):
        asked.append(wallets)
        return trials(store).load(window)

    nobody = strategy("NOBODY", attrs.evolve(MIRROR, target_traders=()))
    subjects = [Subject(wallet_id=name, version=1, looks=0) for name in ("A", "GONE", "NOBODY")]
    config = attrs.evolve(CONFIG, tuner=attrs.evolve(CONFIG.tuner, tries_max=40))
    found = search(config, SearchOrder(subjects=subjects, now_ms=NOW_MS), table(strategy(), nobody), load)
    by_name = {one.wallet_id: one for one in found}
    assert by_name.keys() == {"A", "NOBODY"}
    assert by_name["NOBODY"].text == NOBODY
    assert by_name["A"].version == 3
    # Of a trader without a record the win rate counts as one half, so that an edge of 0 is a price of 0.5.
    ends = {"price_max": lambda value: value, "min_edge": lambda value: 0.5 - value}
    [(name, value)] = by_name["A"].after.items()
    assert 0.4 <= ends[name](float(value)) <= 0.6, by_name["A"].text
    assert asked == [frozenset({TRADER})] * 2
