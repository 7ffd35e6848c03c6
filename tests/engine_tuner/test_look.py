"""A look finds what is planted and nothing in noise, shows its evidence, and lets the proof see one candidate once."""

from decimal import Decimal
from functools import cache

import attrs
import pytest
from engine_tuner.drawn_market import DAYS, NOW_MS, WIDE, DrawnMarket, costly, fair, looked, planted, rules

from actors.rules.tuner.bounds import problem_of
from actors.rules.tuner.parts import parts_of
from engine.tuner.look import look_at
from engine.tuner.passes import run_looks
from protocols.strategies import AllocationMethod
from protocols.tuner_search import Subject

PARTS = parts_of(NOW_MS, days=DAYS, validation_days=9)
NOISES = {
    "fair": (fair, (0.05, 0.95)),
    "costly": (costly, (0.05, 0.95)),
    "favourites": (fair, (0.9, 0.98)),
    "long shots": (fair, (0.02, 0.2)),
}


@cache
def first_planted():
    return looked(DrawnMarket.of(0, planted), 0)


def proposals_in_noise(noise, seeds):
    edge, prices = NOISES[noise]
    return sum(bool(looked(DrawnMarket.of(seed, edge, a_day=100, prices=prices), seed).after) for seed in seeds)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_planted_is_found_within_the_budget(seed):
    market = DrawnMarket.of(seed, planted)
    found = looked(market, seed)
    assert found.after, found.text
    assert "min_conviction" in found.after
    assert {"price_min", "price_max"} & set(found.after)
    if "min_conviction" in found.after:
        assert Decimal("0.5") <= Decimal(found.after["min_conviction"]) <= 2
    assert problem_of(found.after) is None
    assert found.before.keys() == found.after.keys()
    # Three more for each round in which the winner's changes are taken back.
    assert found.evidence.tries <= 90 + 5


@pytest.mark.parametrize("noise", NOISES)
def test_in_noise_nothing_is_proposed(noise):
    assert proposals_in_noise(noise, range(3)) == 0


@pytest.mark.slow
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("noise", NOISES)
def test_in_a_hundred_noises_hardly_anything_is_proposed(noise):
    assert proposals_in_noise(noise, range(1_000, 1_100)) <= 5


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_what_is_planted_is_found_in_most_worlds():
    found = [looked(DrawnMarket.of(seed, planted), seed) for seed in range(100, 140)]
    assert sum(bool(one.after) for one in found) >= 36


def test_the_evidence_is_enough_to_judge_it():
    found = first_planted()
    evidence = found.evidence
    assert (evidence.seed, evidence.code_version, evidence.looks) == (0, "1", 1)
    assert evidence.level == 0.02
    assert set(found.after) <= set(evidence.searched)
    for part in (evidence.train, evidence.validation):
        for side in (part.before, part.after):
            assert side.orders >= 30
            assert side.roi_low < side.roi < side.roi_high
            assert side.win_rate_low < side.win_rate < side.win_rate_high
        assert part.gain.roi == pytest.approx(part.after.roi - part.before.roi)
        assert part.gain.p < 0.02
    assert evidence.train.until == evidence.validation.since
    assert (evidence.validation.until - evidence.train.since).days == DAYS


def test_the_same_seed_finds_the_same():
    assert looked(DrawnMarket.of(0, planted), 0) == first_planted()


def test_the_proof_sees_one_candidate_once_and_after_the_search():
    market = DrawnMarket.of(0, planted)
    looked(market, 0)
    assert market.asked.count(PARTS.validation) == 1
    assert market.asked[-1] == PARTS.validation


def test_what_lies_after_the_split_takes_no_part_in_the_search():
    market = DrawnMarket.of(0, planted)
    later = PARTS.validation.since_ms // 86_400_000
    turned = DrawnMarket([attrs.evolve(one, won=one.won != (one.day >= later)) for one in market.offers])
    first, second = first_planted(), looked(turned, 0)
    assert first.evidence.train == second.evidence.train
    assert first.after
    assert not second.after
    assert "did not hold" in second.text


def test_earlier_looks_at_the_same_days_make_the_level_smaller():
    found = looked(DrawnMarket.of(0, planted), 0, looks=4)
    assert (found.evidence.looks, found.evidence.level) == (5, pytest.approx(0.004))
    strict = looked(DrawnMarket.of(0, planted), 0, looks=10**9)
    assert not strict.after
    assert "has to stay below" in strict.text


def test_too_few_orders_prove_nothing():
    found = looked(DrawnMarket.of(0, planted, a_day=2), 0)
    assert not found.after


def test_a_better_return_that_earns_less_is_not_proposed():
    # Everything earns; the convinced earn more a USD, on a tenth of the orders.
    market = DrawnMarket.of(0, lambda price, conviction, _: 0.12 if conviction > 2 else 0.1, prices=(0.4, 0.6))
    assert not looked(market, 0).after


def test_what_the_winner_can_do_without_is_not_proposed():
    market = DrawnMarket.of(3, lambda price, conviction, _: 0.12 if conviction > 1 else -0.06, a_day=300)
    found = looked(market, 3)
    assert list(found.after) == ["min_conviction"]


def test_tries_are_never_more_than_allowed():
    market = DrawnMarket.of(0, planted)
    found = looked(market, 0, tries_max=10, batch=4)
    assert found.evidence.tries <= 10 + 5
    # And two for the present settings, one for the winner.
    assert market.played <= 10 + 5 + 3


def test_looks_share_their_passes():
    alone, together = DrawnMarket.of(0, planted), DrawnMarket.of(0, planted)
    one = looked(alone, 0, batch=10)
    kelly = attrs.evolve(WIDE, allocation_method=AllocationMethod.KELLY)
    looks = [
        look_at(Subject(wallet_id=name, version=1, looks=0), settings, PARTS, rules(0, batch=10))
        for name, settings in (("A", WIDE), ("B", kelly), ("C", WIDE))
    ]
    found = run_looks(looks, together)
    assert [each.wallet_id for each in found] == ["A", "B", "C"]
    assert found[0] == one
    assert len(together.asked) < 2 * len(alone.asked)
    assert set(together.asked[: together.asked.index(PARTS.validation)]) == {PARTS.train}
