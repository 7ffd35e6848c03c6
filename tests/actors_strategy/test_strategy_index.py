from functools import partial

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK
from property.made_decisions import OWNER, strategy, table
from property.made_trades import wallet

from actors.rules import strategy_index
from actors.rules.strategy.eligibility import Chain
from actors.rules.strategy_index import StrategyIndex, index_of, needs_of
from protocols.strategies import (
    Aggregation,
    AllocationMethod,
    ConflictPolicy,
    EntryModel,
    ProportionalBasis,
    StrategySettings,
    TargetMode,
)

WALLETS = [wallet(number) for number in range(5)]
OWNERS = [OWNER, OWNER.replace("1", "2"), OWNER.replace("1", "3")]
compiled = partial(Chain.of, targets=None)
some_wallets = st.lists(st.sampled_from(WALLETS), max_size=4).map(tuple)


@st.composite
def tables(draw, version=1):
    """Strategies of all target modes and several needs, in any order of their numbers."""
    numbers = draw(st.lists(st.integers(1, 30), max_size=7, unique=True))
    strategies = [
        strategy(
            number,
            owner_id=draw(st.sampled_from(OWNERS)),
            version=draw(st.integers(1, 2)),
            target_mode=draw(st.sampled_from(TargetMode)),
            target_traders=draw(some_wallets),
            is_active=draw(st.sampled_from([True, True, True, False])),
            aggregate=draw(st.sampled_from(Aggregation)),
            entry_model=draw(st.sampled_from([EntryModel.SLIP, EntryModel.BOOK])),
        )
        for number in numbers
    ]
    followed = {owner: set(draw(some_wallets)) for owner in draw(st.sets(st.sampled_from(OWNERS)))}
    return table(*strategies, version=version, followed=followed, leaderboard=set(draw(some_wallets)))


def copies(one, trader, known):
    """Whether a strategy copies a wallet, by the words of `TargetMode`."""
    settings = one.settings
    return (
        settings.is_active
        and {
            TargetMode.LIST: trader in settings.target_traders,
            TargetMode.FOLLOWED: trader in known.followed.get(one.owner_id, ()),
            TargetMode.LEADERBOARD: trader in known.leaderboard,
            TargetMode.EVERYONE: True,
        }[settings.target_mode]
    )


def as_names(plan):
    return {part: [runner.strategy.wallet_id for runner in runners] for part, runners in plan}


def expected(trader, known):
    parts = {}
    for one in sorted(known.strategies, key=lambda one: one.number):
        if copies(one, trader, known):
            parts.setdefault(needs_of(one.settings).part, []).append(one.wallet_id)
    return parts


@QUICK
@given(tables())
def test_the_index_says_what_looking_at_every_strategy_says(known):
    index = index_of(known, StrategyIndex(), compiled)
    for trader in [*WALLETS, wallet(99)]:
        assert as_names(index.plan(trader)) == expected(trader, known)
    assert set(index.runners) == {one.wallet_id for one in known.strategies}
    assert index.version == known.version


@QUICK
@given(tables(), tables(version=2))
def test_a_changed_table_is_indexed_like_a_new_one_and_chains_of_what_stayed_are_kept(before, after):
    first = index_of(before, StrategyIndex(), compiled)
    made = []

    def counting(settings):
        made.append(settings)
        return compiled(settings)

    second = index_of(after, first, counting)
    stayed = {one.wallet_id for one in after.strategies if one in before.strategies}
    for wallet_id, runner in second.runners.items():
        assert (runner is first.runners.get(wallet_id)) == (wallet_id in stayed)
    assert len(made) == len(after.strategies) - len(stayed)
    for trader in WALLETS:
        assert as_names(second.plan(trader)) == expected(trader, after)


def test_a_plan_is_made_once_and_shared_by_wallets_that_the_same_strategies_copy():
    known = table(
        strategy(1, target_mode=TargetMode.LIST, target_traders=tuple(WALLETS[:3])),
        strategy(2, target_mode=TargetMode.LEADERBOARD),
        leaderboard={WALLETS[2]},
    )
    index = index_of(known, StrategyIndex(), compiled)
    assert index.plan(WALLETS[0]) is index.plan(WALLETS[0]) is index.plan(WALLETS[1])
    assert as_names(index.plan(WALLETS[2])) == {"now": ["BOT_1", "BOT_2"]}
    assert index.plan(WALLETS[3]) is index.plan(wallet(99)) == ()


def test_plans_that_nobody_asks_for_again_do_not_stay_for_ever(monkeypatch):
    monkeypatch.setattr(strategy_index, "PLANS_MAX", 2)
    lists = [strategy(number, target_mode=TargetMode.LIST, target_traders=(wallet(number),)) for number in range(1, 6)]
    known = table(*lists)
    index = index_of(known, StrategyIndex(), compiled)
    for _ in range(2):
        for number in range(1, 6):
            assert as_names(index.plan(wallet(number))) == {"now": [f"BOT_{number}"]}
            assert len(index._plans) <= 2


def test_d52_an_empty_list_copies_nobody_and_an_owner_who_follows_nobody_neither():
    known = table(
        strategy(1, target_mode=TargetMode.LIST, target_traders=()),
        strategy(2, target_mode=TargetMode.FOLLOWED),
        followed={OWNER: set()},
    )
    index = index_of(known, StrategyIndex(), compiled)
    assert all(index.plan(trader) == () for trader in WALLETS)
    assert set(index.runners) == {"BOT_1", "BOT_2"}


def test_a_paused_strategy_copies_nothing_and_stays_known_for_what_it_holds():
    known = table(strategy(1, target_mode=TargetMode.EVERYONE, is_active=False))
    index = index_of(known, StrategyIndex(), compiled)
    assert index.plan(WALLETS[0]) == ()
    assert "BOT_1" in index.runners


def test_a_new_version_of_a_strategy_has_a_new_chain():
    one = strategy(1, target_mode=TargetMode.EVERYONE)
    first = index_of(table(one), StrategyIndex(), compiled)
    second = index_of(table(attrs.evolve(one, version=2), version=2), first, compiled)
    assert second.runners["BOT_1"].chain is not first.runners["BOT_1"].chain
    assert second.runners["BOT_1"].strategy.version == 2


@pytest.mark.parametrize(
    ("changes", "part", "aggregates"),
    [
        ({}, "now", False),
        ({"aggregate": Aggregation.TRANSACTION}, "tx", True),
        ({"aggregate": Aggregation.WINDOW, "aggregate_window_s": 30}, "w30", True),
        ({"aggregate_window_s": 30}, "now", False),
        ({"use_model": True}, "model", False),
        ({"model_threshold": 0}, "now", False),
        ({"entry_model": EntryModel.BOOK, "fill_delay_ms": 0}, "book0", False),
        ({"fill_delay_ms": 700}, "now", False),
        ({"conflict_policy": ConflictPolicy.FIRST}, "order", False),
        ({"conflict_policy": ConflictPolicy.MAJORITY}, "sides", False),
        ({"conflict_policy": ConflictPolicy.NET, "max_targets_per_side": 1}, "sides+order", False),
        ({"max_event_exposure_usd": 0, "use_model": True}, "model+order", False),
        (
            {"allocation_method": AllocationMethod.PROPORTIONAL, "proportional_basis": ProportionalBasis.PORTFOLIO},
            "portfolio",
            False,
        ),
        ({"allocation_method": AllocationMethod.PROPORTIONAL}, "now", False),
        ({"proportional_basis": ProportionalBasis.PORTFOLIO}, "now", False),
        (
            {
                "aggregate": Aggregation.TRANSACTION,
                "use_model": True,
                "allocation_method": AllocationMethod.PROPORTIONAL,
                "proportional_basis": ProportionalBasis.PORTFOLIO,
                "entry_model": EntryModel.BOOK,
                "fill_delay_ms": 500,
            },
            "tx+model+portfolio+book500",
            True,
        ),
    ],
)
def test_a_part_is_named_after_what_is_waited_for(changes, part, aggregates):
    needs = needs_of(StrategySettings(**changes))
    assert (needs.part, needs.aggregates) == (part, aggregates)


def test_a_strategy_that_asks_for_its_targets_is_told_who_they_are_and_others_cost_nothing():
    majority = {"conflict_policy": ConflictPolicy.MAJORITY}
    listed = {"target_mode": TargetMode.LIST, "target_traders": (wallet(1), wallet(2))}
    strategies = [
        strategy(1, **listed, **majority),
        strategy(2, **listed, **majority),
        strategy(3, **listed, **majority, excluded_traders=(wallet(2),)),
        strategy(4, target_mode=TargetMode.FOLLOWED, **majority),
        strategy(5, target_mode=TargetMode.LEADERBOARD, **majority),
        strategy(6, target_mode=TargetMode.EVERYONE, **majority),
        strategy(7, **listed),
        strategy(8, **listed, conflict_policy=ConflictPolicy.FIRST),
    ]
    index = index_of(
        table(*strategies, followed={OWNER: [wallet(3)]}, leaderboard=[wallet(4)]), StrategyIndex(), compiled
    )
    counted = {
        name: {number for number in range(1, 6) if circle.counts(wallet(number))}
        for name, circle in index.circles.items()
    }
    assert counted == {
        "BOT_1": {1, 2}, "BOT_2": {1, 2}, "BOT_3": {1}, "BOT_4": {3}, "BOT_5": {4}, "BOT_6": {1, 2, 3, 4, 5},
    }  # fmt: skip
    assert index.circles["BOT_1"] is index.circles["BOT_2"]
