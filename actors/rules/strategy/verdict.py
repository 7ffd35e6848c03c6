"""What a strategy does with a trade, and every gate with what it looked at."""

from decimal import Decimal

import attrs

from actors.rules.exact import ZERO
from actors.rules.strategy.eligibility import Chain
from actors.rules.strategy.gate import Targets
from actors.rules.strategy.gates import GATES
from actors.rules.strategy.sizing import stake_usd
from actors.rules.strategy.traits import TradeTraits
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


def judge(chain: Chain, traits: TradeTraits, bankroll: Decimal) -> Verdict:
    """Returns what a strategy does with a trade by its chain, its stake and its bankroll in USD."""
    failed = chain.first_failure(traits)
    return Verdict(failed) if failed is not None else staked(chain.settings, traits, bankroll)


def staked(settings: StrategySettings, traits: TradeTraits, bankroll: Decimal) -> Verdict:
    """Returns what a strategy does with a trade that has passed its chain."""
    stake = stake_usd(settings, traits, bankroll)
    if stake <= 0:
        return Verdict(Reason.ZERO_STAKE)
    return Verdict(Reason.TAKEN, stake) if bankroll >= stake else Verdict(Reason.INSUFFICIENT_CASH)


def explain(
    settings: StrategySettings, targets: Targets, traits: TradeTraits, bankroll: Decimal | None
) -> list[GateReport]:
    """Returns every gate in the order of the chain, those that are switched off too, and at last stake and cash.

    `bankroll` None: the decision did not get as far, and nobody knows it any more; stake and cash are left out.
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
    if bankroll is None or not all(report.passed for report in reports):
        return reports
    stake = stake_usd(settings, traits, bankroll)
    verdict = staked(settings, traits, bankroll)
    for reason, value, limit in (
        (Reason.ZERO_STAKE, stake, "more than 0 USD"),
        (Reason.INSUFFICIENT_CASH, bankroll, f"at least {stake} USD"),
    ):
        passed = verdict.reason is not reason
        reports.append(GateReport(reason=reason, is_on=True, passed=passed, value=_text(value), limit=limit))
    return reports


def _text(value: object) -> str | None:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return None if value is None else str(value)
