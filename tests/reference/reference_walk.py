"""One strategy walked through trades by the reference alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from reference.reference_conflicts import conflict, fill_within, held_by, outcomes_of
from reference.reference_paper import Account
from reference.reference_strategy import Answer, first_failure, stake_or_reason

from protocols.decisions import Inputs
from protocols.strategies import StrategySettings


@dataclass
class Walk:
    """An answer for each trade, and the money at the end."""

    answers: list[Answer]
    account: Account


def walk(settings: StrategySettings, inputs: list[Inputs], payouts_before: Mapping[int, Mapping[str, Decimal]]) -> Walk:
    """`payouts_before` says which tokens are paid before the trade with that number; a number past the end comes last."""
    account = Account(Fraction(settings.starting_balance))
    answers = []
    by_market: dict[str, list[Inputs]] = {}
    for number, one in enumerate(inputs):
        by_market.setdefault(one.condition_id, []).append(one)
        account.settle(fractions(payouts_before.get(number, {})))
        answers.append(step(settings, account, one, by_market[one.condition_id]))
    account.settle(fractions(payouts_before.get(len(inputs), {})))
    return Walk(answers, account)


def step(settings: StrategySettings, account: Account, one: Inputs, in_market: list[Inputs]) -> Answer:
    """`in_market` are the trades of its market so far, this one too; every trader is a target."""
    if one.side == "SELL":
        sold = settings.copy_sells and account.copy_sale(settings, one)
        return Answer("trader_sell" if sold else "not_buy")
    reason = first_failure(settings, None, one)
    if reason is not None:
        return Answer(reason)
    held, outcomes = held_by(account, one), None
    if settings.conflict_policy in ("majority", "net"):
        outcomes = outcomes_of(in_market, one, None, settings.excluded_traders)
    reason = conflict(settings, one, outcomes, held)
    if reason is not None:
        return Answer(reason)
    bankroll = account.bankroll()
    answer = stake_or_reason(settings, one, bankroll, held)
    if answer.stake is None:
        return answer
    stake, fill = fill_within(settings, one, answer.stake, held)
    if stake == 0:
        return Answer("event_exposure")
    if fill is None:
        return Answer("zero_stake")
    if stake + fill.fee > bankroll:
        return Answer("insufficient_cash")
    account.buy(one, stake, fill)
    return Answer("taken", stake)


def fractions(payouts: Mapping[str, Decimal]) -> dict[str, Fraction]:
    return {token: Fraction(payout) for token, payout in payouts.items()}
