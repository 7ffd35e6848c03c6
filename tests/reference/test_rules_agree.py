from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import Phase, given, settings
from property.examples import examples
from reference.random_strategies import Batch, batches
from reference.reference_conflicts import Held, Outcome
from reference.reference_strategy import decide

from actors.rules.strategy.eligibility import Chain
from actors.rules.strategy.traits import traits_of
from actors.rules.strategy.verdict import judge
from protocols.conflicts import Stand
from protocols.decisions import Inputs, Reason

# A failure shows the one pair; making 64 pairs smaller would take minutes and tell no more.
AS_FOUND = (Phase.reuse, Phase.generate)
OF_THE_CHAIN = {
    reason.value
    for reason in Reason
    if reason.value
    not in {
        "trader_sell",
        "duplicate",
        "aggregated",
        "book_unavailable",
        "slippage_exceeded",
        "rule_error",
    }
}


def outcomes_in(one: Inputs, stand: Stand) -> dict[str, Outcome] | None:
    if one.crowds is None or stand.crowd is None:
        return None
    sides = one.crowds[stand.crowd].sides
    return {side.token_id: Outcome(side.targets, Fraction(side.usd_micro, 1_000_000)) for side in sides}


def held_in(stand: Stand) -> Held:
    return Held(stand.against != (), stand.beside, Fraction(stand.event_usd))


def agreed_reasons(batch: Batch) -> Counter[str]:
    """Judges every pair on both sides; returns how often each reason was agreed on."""
    reasons: Counter[str] = Counter()
    traits = [traits_of(one) for one in batch.trades]
    for pair in batch.pairs:
        chain = Chain.of(pair.settings, pair.targets)
        for one, its_traits, bankroll, stand in zip(batch.trades, traits, pair.bankrolls, pair.stands, strict=True):
            expected = decide(
                pair.settings, pair.targets, one, Fraction(bankroll), outcomes_in(one, stand), held_in(stand)
            )
            verdict = judge(chain, its_traits, bankroll, stand)
            assert verdict.reason.value == expected.reason, (pair.settings, pair.targets, one, bankroll, stand)
            reasons[expected.reason] += 1
            if expected.stake is not None:
                assert Fraction(verdict.stake) == expected.stake, (pair.settings, one, bankroll)
    return reasons


def agreed_on(batch_count: int) -> Counter[str]:
    reasons: Counter[str] = Counter()

    @settings(examples(batch_count), phases=AS_FOUND)
    @given(batches())
    def agrees(batch):
        reasons.update(agreed_reasons(batch))

    agrees()
    return reasons


def test_ten_thousand_random_pairs_get_the_same_reason_and_stake_as_from_the_reference():
    reasons = agreed_on(160)
    assert reasons.total() >= 10_000
    assert reasons["taken"] >= 500
    assert len(reasons) >= 20


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_hundred_thousand_random_pairs_get_the_same_reason_and_stake_as_from_the_reference():
    reasons = agreed_on(3_200)
    assert reasons.total() >= 200_000
    assert set(reasons) == OF_THE_CHAIN
