"""What a strategy does with a trade, and every gate with what it looked at."""

from decimal import Decimal

import attrs

from actors.rules.exact import ZERO
from actors.rules.strategy.conflict_gates import CONFLICT_GATES
from actors.rules.strategy.eligibility import Chain
from actors.rules.strategy.gate import Targets
from actors.rules.strategy.gates import GATES
from actors.rules.strategy.sizing import stake_usd
from actors.rules.strategy.stands import cut_to_room, fill_in_room
from actors.rules.strategy.traits import TradeTraits
from protocols.conflicts import Stand
from protocols.decisions import Reason
from protocols.strategies import StrategySettings


@attrs.frozen
class Verdict:
    """The result for one strategy; `stake` in USD is more than zero only when it is taken."""

    reason: Reason
    stake: Decimal = ZERO


@attrs.frozen(kw_only=True)
class GateReport:
    """One gate as it was found."""

    reason: Reason
    """What a strategy says when it fails here."""
    is_on: bool
    """False: the settings switch it off."""
    passed: bool
    value: str | None
    limit: str | None


def judge(chain: Chain, traits: TradeTraits, bankroll: Decimal, stand: Stand | None = None) -> Verdict:
    """Returns what a strategy does with a trade by its chain, its stake and its bankroll in USD.

    `stand` is what its policies for conflicts look at; without it they are left out.
    """
    failed = chain.first_failure(traits)
    if failed is None and stand is not None:
        failed = chain.first_conflict(traits, stand)
    return Verdict(failed) if failed is not None else staked(chain.settings, traits, bankroll, stand)


def staked(settings: StrategySettings, traits: TradeTraits, bankroll: Decimal, stand: Stand | None = None) -> Verdict:
    """Returns what a strategy does with a trade that has passed its chain."""
    stake = stake_usd(settings, traits, bankroll)
    if stake <= 0:
        return Verdict(Reason.ZERO_STAKE)
    stake = cut_to_room(settings, stake, stand)
    return Verdict(Reason.TAKEN, stake) if bankroll >= stake else Verdict(Reason.INSUFFICIENT_CASH)


def explain(
    settings: StrategySettings,
    targets: Targets,
    traits: TradeTraits,
    bankroll: Decimal | None,
    stand: Stand | None = None,
) -> list[GateReport]:
    """Returns every gate in the order of the chain, those that are switched off too, and at last stake and cash.

    `bankroll` or `stand` None: the decision did not get as far, and nobody knows it any more; stake and cash, or the gates on
    conflicts that are on, are left out.
    """
    reports = [
        GateReport(
            reason=gate.reason,
            is_on=gate.is_on(settings, targets),
            passed=not (gate.is_on(settings, targets) and gate.test(settings, targets)(traits)),
            value=_text(gate.value(traits, settings)),
            limit=_text(gate.limit(settings)) if gate.is_on(settings, targets) else None,
        )
        for gate in GATES
    ]
    passed_all = all(report.passed for report in reports)
    reports += _conflicts(settings, traits, bankroll, stand if passed_all else None)
    if bankroll is None or not all(report.passed for report in reports):
        return reports
    stake = stake_usd(settings, traits, bankroll)
    cut = cut_to_room(settings, stake, stand)
    verdict = staked(settings, traits, bankroll, stand)
    for reason, value, limit in (
        (
            Reason.ZERO_STAKE,
            cut,
            "more than 0 USD" if cut == stake else f"more than 0 USD; cut from {stake} for the event",
        ),
        (Reason.INSUFFICIENT_CASH, bankroll, f"at least {cut} USD"),
    ):
        passed = verdict.reason is not reason
        reports.append(GateReport(reason=reason, is_on=True, passed=passed, value=_text(value), limit=limit))
    return reports


def _conflicts(
    settings: StrategySettings, traits: TradeTraits, bankroll: Decimal | None, stand: Stand | None
) -> list[GateReport]:
    reports = []
    for gate in CONFLICT_GATES:
        is_on = gate.is_on(settings)
        if not is_on:
            reports.append(GateReport(reason=gate.reason, is_on=False, passed=True, value=None, limit=None))
        elif stand is not None:
            fails = gate.fails(settings, traits.inputs, stand)
            if gate.reason is Reason.EVENT_EXPOSURE and not fails:
                fails = _fee_is_too_much(settings, traits, bankroll, stand)
            value, limit = gate.value(traits.inputs, stand), gate.limit(settings, traits.inputs)
            reports.append(GateReport(reason=gate.reason, is_on=True, passed=not fails, value=value, limit=limit))
    return reports


def _fee_is_too_much(settings: StrategySettings, traits: TradeTraits, bankroll: Decimal | None, stand: Stand) -> bool:
    """Returns whether there was room for the stake, but with its fee for less than the least that is staked."""
    if bankroll is None:
        return False
    verdict = staked(settings, traits, bankroll, stand)
    if verdict.reason is not Reason.TAKEN:
        return False
    return fill_in_room(settings, traits.inputs, verdict.stake, stand) is Reason.EVENT_EXPOSURE


def _text(value: object) -> str | None:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return None if value is None else str(value)
