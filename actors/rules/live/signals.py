"""What a decision about a trade means to live strategies: claims to buy, and the signal to sell."""

import uuid
from collections.abc import Callable, Sequence

from actors.rules.paper.closing import share_sold
from actors.rules.paper.orders import order_id_of as paper_order_id_of
from actors.rules.strategy_index import Runner
from protocols.decisions import Decision, Inputs, Reason
from protocols.live.exits import ExitSignal
from protocols.live.orders import LiveIntent, Side
from protocols.live.settings import LiveStrategy

# Any constant would do; another one would give orders that exist already new ids.
_NAMESPACE = uuid.UUID("0f7a5c6e-2d1b-5e3f-8a94-6b7c8d9e0f1a")
# Market, target, price and quality rules have passed: what is left is paper cash and the paper fill, which never gate money.
_PASSED = frozenset(
    {
        Reason.TAKEN.value,
        Reason.ZERO_STAKE.value,
        Reason.INSUFFICIENT_CASH.value,
        Reason.BOOK_UNAVAILABLE.value,
        Reason.SLIPPAGE_EXCEEDED.value,
    }
)
Mirrors = Callable[[str], Sequence[LiveStrategy]]
"""A paper strategy's wallet_id to the live strategies that mirror it."""


def order_id_of(strategy_id: str, cause: str, attempt: int) -> str:
    """Returns the id of an attempt: claiming it again gives the same one."""
    return str(uuid.uuid5(_NAMESPACE, f"{strategy_id}\n{cause}\n{attempt}"))


def exit_id_of(strategy_id: str, cause: str, token_id: str) -> str:
    """Returns the id of an obligation to sell."""
    return str(uuid.uuid5(_NAMESPACE, f"exit\n{strategy_id}\n{cause}\n{token_id}"))


def intents_of(
    decision: Decision, inputs: Inputs, runners: Sequence[Runner], mirrors: Mirrors, seen_s: float | None
) -> tuple[LiveIntent, ...]:
    """Returns the claims of live strategies that mirror a paper strategy whose rules have let a BUY pass."""
    intents = []
    for runner, reason in zip(runners, decision.reasons, strict=True):
        if reason not in _PASSED:
            continue
        wallet_id = runner.strategy.wallet_id
        twin = paper_order_id_of(wallet_id, inputs.trade_id) if reason == Reason.TAKEN else None
        intents += [
            _intent(decision, inputs, strategy, twin, seen_s) for strategy in mirrors(wallet_id) if strategy.enters
        ]
    return tuple(intents)


def exit_signal_of(inputs: Inputs, runners: Sequence[Runner], mirrors: Mirrors) -> ExitSignal | None:
    """Returns what a SELL of a trader means to live strategies; None where nobody mirrors a strategy that sells with him.

    Who holds something of it is found when the signal is committed, so that a buy on its way is not missed. An archived
    strategy sells what it holds like any other.
    """
    wallet_ids = tuple(
        runner.strategy.wallet_id
        for runner in runners
        if runner.settings.copy_sells and mirrors(runner.strategy.wallet_id)
    )
    if inputs.side != Side.SELL or not wallet_ids:
        return None
    return ExitSignal(
        trade_id=inputs.trade_id,
        trader=inputs.wallet,
        condition_id=inputs.condition_id,
        token_id=inputs.token_id,
        share=share_sold(inputs.size_micro, inputs.holding_micro),
        price=inputs.price,
        trade_ms=inputs.trade_ms,
        ft_wallet_ids=wallet_ids,
    )


def _intent(
    decision: Decision, inputs: Inputs, strategy: LiveStrategy, twin: str | None, seen_s: float | None
) -> LiveIntent:
    market = inputs.market
    return LiveIntent(
        order_id=order_id_of(strategy.strategy_id, inputs.trade_id, 1),
        strategy_id=strategy.strategy_id,
        cause=inputs.trade_id,
        part=decision.part,
        members=inputs.members,
        side=Side.BUY,
        condition_id=inputs.condition_id,
        token_id=inputs.token_id,
        outcome=inputs.outcome,
        market_title=inputs.title if market is None or market.title is None else market.title,
        market_slug=None if market is None else market.slug,
        event_slug=None if market is None else market.event_slug,
        trader=inputs.wallet,
        ft_order_id=twin,
        signal_price=inputs.price,
        signal_ms=inputs.trade_ms,
        decided_ms=inputs.now_ms,
        inputs=decision.snapshot,
        seen_s=seen_s,
    )
