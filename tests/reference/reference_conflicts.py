"""Policies for conflicts written a second time, slowly: lists of trades and positions are gone through again for each trade.

Nothing of `actors/rules` is imported here.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from reference.reference_inputs import half_even
from reference.reference_paper import Account, Fill, fill_of

from protocols.decisions import Inputs
from protocols.strategies import StrategySettings

DAYS_30_MS = 30 * 24 * 60 * 60 * 1000


@dataclass
class Held:
    """What a strategy has when it is asked."""

    elsewhere: bool
    """Something of another outcome of the market, from somebody else than this trader."""
    others_here: int
    """Traders other than this one from whom it has this outcome."""
    in_event: Fraction
    """USD."""


@dataclass
class Outcome:
    """What its targets have of one outcome."""

    supporters: int
    usd: Fraction


def held_by(account: Account, one: Inputs) -> Held:
    elsewhere, here, in_event = False, set(), Fraction(0)
    event = one.market.event_slug if one.market is not None else None
    for position in account.positions:
        same_market = position.condition_id == one.condition_id
        if same_market or (event is not None and position.event == event):
            in_event += position.cost
        if same_market and position.trader != one.wallet:
            if position.token_id == one.token_id:
                here.add(position.trader)
            else:
                elsewhere = True
    return Held(elsewhere, len(here), in_event)


def outcomes_of(
    trades: Iterable[Inputs], one: Inputs, targets: Collection[str] | None, excluded: Collection[str] = ()
) -> dict[str, Outcome]:
    """How targets stand by the trades up to `one`, which is the last of them."""
    mine = [
        trade
        for trade in trades
        if trade.condition_id == one.condition_id
        and one.trade_ms - trade.trade_ms <= DAYS_30_MS
        and (
            trade.wallet == one.wallet
            or ((targets is None or trade.wallet in targets) and trade.wallet not in excluded)
        )
    ]
    tokens = sorted({trade.token_id for trade in mine})
    found = {token: Outcome(0, Fraction(0)) for token in tokens}
    for wallet in {trade.wallet for trade in mine}:
        shares = {token: net(mine, wallet, token, money=False) for token in tokens}
        for token in tokens:
            if shares[token] > 0:
                found[token].usd += max(Fraction(0), net(mine, wallet, token, money=True))
            if shares[token] > 0 and all(shares[token] > shares[other] for other in tokens if other != token):
                found[token].supporters += 1
    return found


def net(trades: list[Inputs], wallet: str, token: str, *, money: bool) -> Fraction:
    """Bought less sold, in shares or USD."""
    total = Fraction(0)
    for trade in trades:
        if (trade.wallet, trade.token_id) == (wallet, token):
            amount = Fraction(trade.size_micro, 1_000_000)
            if money:
                amount = half_even(Fraction(trade.price) * amount, 6)
            total += amount if trade.side == "BUY" else -amount
    return total


def conflict(settings: StrategySettings, one: Inputs, outcomes: dict[str, Outcome] | None, held: Held) -> str | None:
    """The reason of the policy that refuses a purchase; None where none does. `outcomes` None: nobody knows."""
    if settings.conflict_policy == "first" and held.elsewhere:
        return "conflict_first"
    if settings.conflict_policy in ("majority", "net"):
        reason = f"conflict_{settings.conflict_policy.value}"
        if outcomes is None or one.token_id not in outcomes:
            return reason
        weights = {
            token: outcome.supporters if settings.conflict_policy == "majority" else outcome.usd
            for token, outcome in outcomes.items()
        }
        mine = weights.pop(one.token_id)
        if mine == 0 or any(other >= mine for other in weights.values()):
            return reason
    if settings.max_targets_per_side is not None and held.others_here + 1 > settings.max_targets_per_side:
        return "side_limit"
    left = room(settings, held)
    if left is not None and left < least(settings):
        return "event_exposure"
    return None


def room(settings: StrategySettings, held: Held) -> Fraction | None:
    """USD that the event has left."""
    if settings.max_event_exposure_usd is None:
        return None
    return Fraction(settings.max_event_exposure_usd) - held.in_event


def least(settings: StrategySettings) -> Fraction:
    return max(Fraction(settings.min_bet), Fraction(1, 100))


def cents_down(value: Fraction) -> Fraction:
    return Fraction(floor(value * 100), 100)


def cut(settings: StrategySettings, stake: Fraction, held: Held) -> Fraction:
    left = room(settings, held)
    return stake if left is None else min(stake, cents_down(left) if stake > left else stake)


def fill_within(settings: StrategySettings, one: Inputs, stake: Fraction, held: Held) -> tuple[Fraction, Fill | None]:
    """The stake and what it buys. A fee that does not fit is taken off the stake once; a stake of zero: refused."""
    fill, left = fill_of(settings, one, stake), room(settings, held)
    if fill is None or left is None or stake + fill.fee <= left:
        return stake, fill
    stake = cents_down(stake - (stake + fill.fee - left))
    if stake < least(settings):
        return Fraction(0), None
    fill = fill_of(settings, one, stake)
    return (stake, fill) if fill is None or stake + fill.fee <= left else (Fraction(0), None)
