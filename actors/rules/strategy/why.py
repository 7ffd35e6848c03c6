"""Tells why a trade was copied or not, by running the chain again on what was kept."""

from collections.abc import Mapping
from typing import Any

import attrs
import msgspec

from actors.rules.strategy.gate import Targets
from actors.rules.strategy.traits import traits_of
from actors.rules.strategy.verdict import explain
from config.strategy_settings import SettingsError, settings_from
from protocols.conflicts import Stand
from protocols.decisions import Inputs, Reason
from protocols.strategies import StrategySettings, TargetMode
from protocols.trades import Lane
from protocols.why import GateWhy, PartWhy, ResultWhy, StoredDecision, Why, WhyFacts

_INPUTS = msgspec.json.Decoder(Inputs)
_STANDS = msgspec.json.Decoder(tuple[Stand | None, ...])
_LANES = {
    Lane.FOLLOWED: "No strategy copied him when the trade came (lane 1: some user follows him).",
    Lane.KNOWN: "No strategy copied him when the trade came (lane 2: he stands in traders, nobody follows him).",
}
_WOULD = (
    " One would with target_mode list and him in target_traders, with target_mode followed of a user who follows him, with "
    "target_mode leaderboard, or with everyone."
)


def why(facts: WhyFacts, *, owner_id: str | None, bot: str | None) -> Why:
    """Returns the story of a trade.

    `owner_id`: only what strategies of this user did; None for all. `bot`: the strategy of which every gate is shown.
    """
    shown = {number for number, one in facts.strategies.items() if owner_id in (None, one.owner_id)}
    names = {facts.strategies[number].wallet_id for number in shown}
    trade = facts.trade
    parts = [_part(facts, decision, shown if owner_id is not None else None, bot) for decision in facts.decisions]
    orders = [order for order in facts.orders if order.wallet_id in names]
    closes = [close for close in facts.closes if close.wallet_id in names]
    return Why(
        trade_id=trade.trade_id,
        lane=trade.lane,
        trader=trade.trader,
        side=trade.side,
        price=trade.price,
        size=trade.size,
        trade_time=trade.trade_time,
        condition_id=trade.condition_id,
        title=trade.title,
        outcome=trade.outcome,
        conclusion=_conclusion(trade.lane, parts, copies=len(orders), sales=len(closes)),
        parts=parts,
        orders=orders,
        live_orders=[order for owner, order in facts.live_orders if owner_id in (None, owner)],
        closes=closes,
    )


def gates(
    document: Mapping[str, Any] | StrategySettings,
    inputs: Inputs,
    bankroll: Any,
    targets: Targets = None,
    stand: Stand | None = None,
) -> list[GateWhy]:
    """Returns every gate with what it looked at. Raises `SettingsError` for settings that are not understood.

    Without `stand` policies for conflicts are left out.
    """
    settings = document if isinstance(document, StrategySettings) else settings_from(document, None)
    if targets is None and settings.target_mode is TargetMode.LIST:
        targets = settings.target_traders
    reports = explain(settings, targets, traits_of(inputs), bankroll, stand)
    return [GateWhy(**{**attrs.asdict(report), "reason": report.reason.value}) for report in reports]


def _part(facts: WhyFacts, decision: StoredDecision, shown: set[int] | None, bot: str | None) -> PartWhy:
    columns = (decision.strategies, decision.versions, decision.reasons, decision.bankrolls)
    results = []
    for place, (number, version, reason, bankroll) in enumerate(zip(*columns, strict=True)):
        if shown is not None and number not in shown:
            continue
        named = facts.strategies.get(number)
        wallet_id = None if named is None else named.wallet_id
        result = ResultWhy(wallet_id=wallet_id, number=number, version=version, reason=reason, bankroll=bankroll)
        if bot is not None and wallet_id == bot:
            found, note = _gates(facts, decision, result, place)
            result = msgspec.structs.replace(result, gates=found, note=note)
        results.append(result)
    return PartWhy(
        part=decision.part,
        trade_id=decision.trade_id,
        decided_at=decision.decided_at,
        members=list(decision.members),
        results=results,
    )


def _gates(
    facts: WhyFacts, decision: StoredDecision, result: ResultWhy, place: int
) -> tuple[list[GateWhy] | None, str | None]:
    if result.reason == Reason.AGGREGATED:
        return None, "it came after its aggregate was decided and was not judged by itself"
    document = facts.settings.get((result.number, result.version))
    if document is None:
        return None, f"the settings of version {result.version} are not kept any more"
    try:
        inputs = _INPUTS.decode(decision.snapshot)
        if inputs.side != "BUY":
            return None, "a sale is not judged by the chain; it closes what was bought from this trader"
        return gates(document, inputs, result.bankroll, stand=_stand(decision, place)), None
    except (msgspec.MsgspecError, SettingsError) as error:
        return None, f"what was kept is not understood by this version of the program: {error}"


def stand_in(decision: StoredDecision, number: int) -> Stand | None:
    """Returns what policies of a strategy looked at; None where they did not. Raises `msgspec.MsgspecError`."""
    return _stand(decision, decision.strategies.index(number)) if number in decision.strategies else None


def _stand(decision: StoredDecision, place: int) -> Stand | None:
    stands = () if decision.stands is None else _STANDS.decode(decision.stands)
    return stands[place] if place < len(stands) else None


def _conclusion(lane: int, parts: list[PartWhy], *, copies: int, sales: int) -> str:
    if copies or sales:
        orders = f"{copies} order{'s' if copies != 1 else ''} copied it" if copies else ""
        closed = f"{sales} position{'s were' if sales != 1 else ' was'} closed by it" if sales else ""
        return f"{' and '.join(filter(None, (orders, closed)))}."
    results = [result for part in parts for result in part.results]
    if results:
        reasons = sorted({result.reason for result in results})
        return (
            f"{len(results)} result{'s' if len(results) != 1 else ''}, none of which is an order: {', '.join(reasons)}."
        )
    if lane != Lane.TARGET:
        return _LANES[Lane(lane)] + _WOULD
    return "Some strategy copied him when the trade came; nothing that is shown here decided about it." + _WOULD
