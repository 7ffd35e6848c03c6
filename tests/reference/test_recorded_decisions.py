from collections import Counter
from fractions import Fraction

import pytest
from reference.program_walk import ProgramWalk
from reference.recorded_inputs import payouts_of, recorded_inputs, recorded_trades
from reference.reference_walk import walk
from reference.thirty_strategies import STRATEGIES

WINDOWS = (
    "market-trades-2025-10-10",
    "platform-trades-2026-05-01T0320",
    "platform-trades-2026-05-01T0605",
    "platform-trades-2026-05-01T0815",
)
ROUNDS = 6


def exact(answers):
    return [(reason, None if stake is None else Fraction(stake)) for reason, stake in answers]


@pytest.mark.parametrize("window", WINDOWS)
def test_every_recorded_trade_gets_the_same_decision_stake_and_balance_as_from_the_reference(window, recorded):
    inputs = recorded_inputs(recorded_trades(recorded / "data" / f"{window}.jsonl.gz"))
    # Markets of five rounds resolve on the way, those of the last one never.
    payouts = {(number + 1) * len(inputs) // 5: payouts_of(inputs, number) for number in range(ROUNDS - 1)}
    reasons: Counter[str] = Counter()
    for name, settings in STRATEGIES.items():
        expected = walk(settings, inputs, payouts)
        program = ProgramWalk(settings)
        program.walk(inputs, payouts)
        wanted = [(answer.reason, answer.stake) for answer in expected.answers]
        for one, mine, its in zip(inputs, exact(program.answers), wanted, strict=True):
            assert mine == its, (name, one)
        assert Fraction(program.balance.cash) == expected.account.bankroll(), name
        assert Fraction(program.balance.realized_pnl) == expected.account.realised, name
        assert Fraction(program.balance.open_cost) == expected.account.open_cost(), name
        left = sorted((order.token_id, Fraction(order.shares)) for order in program.open.values())
        assert left == sorted((one.token_id, one.shares) for one in expected.account.positions), name
        reasons.update(answer.reason for answer in expected.answers)
    assert len(STRATEGIES) >= 30
    assert reasons.total() == len(STRATEGIES) * len(inputs)
    assert len(reasons) >= 25
    assert reasons["taken"] >= 2_000
    assert reasons["trader_sell"] >= 20
    for policy in ("conflict_first", "conflict_majority", "conflict_net", "side_limit", "event_exposure"):
        assert reasons[policy] >= 10, policy
