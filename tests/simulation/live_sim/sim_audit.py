"""The auditor: what has to be true of orders and money, looked up in the tables and at the venue with no rule of the engine."""

import math
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from simulation.live_sim.sim_world import SimWorld

ZERO, MICRO = Decimal(0), Decimal(1_000_000)
NEVER_THERE = ("REJECTED", "LOST", "CANCELLED")
"""Of an order that is not at the venue. Cancelled: its socket told that it was killed."""


class Auditor:
    """Says what is wrong; says nothing when all is well."""

    def __init__(self, world: SimWorld) -> None:
        self.world = world
        self.state = world.ledger.state
        self.commits = 0
        self.checks = 0

    def after_commit(self, _name: str) -> None:
        self.commits += 1
        if self.commits % 5 == 0:
            self.always()

    def always(self) -> None:
        """What holds at every moment."""
        self.checks += 1
        for what in (*self._balances(), *self._journal(), *self._copies()):
            if what not in self.world.violations:
                self.world.blame(what)

    def _balances(self) -> Iterator[str]:
        locked, cooling = Counter[str](), Counter[str]()
        for kept in self.state.orders.values():
            locked[kept.order.strategy_id] += _committed(kept.order)
        for kept in self.state.cooldowns.values():
            if not kept.is_released:
                cooling[kept.entry.strategy_id] += kept.entry.amount
        sums: dict[str, Counter[str]] = {}
        for line in self.state.ledger.values():
            total = sums.setdefault(line.posting.strategy_id, Counter())
            total["initial"] += line.posting.initial
            total["available"] += line.available
            total["locked"] += line.posting.locked
            total["cooldown"] += line.posting.cooldown
            total["realized_pnl"] += line.posting.realized
            total["drift"] += line.drift
        for id_, one in self.state.balances.items():
            if one.available + one.locked + one.cooldown != one.initial + one.realized_pnl + one.drift:
                yield f"I1: {one}"
            if one.locked != locked[id_]:
                yield f"I2: {id_} has {one.locked} locked, its orders commit {locked[id_]}"
            if min(one.available, one.locked, one.cooldown, one.drift) < 0:
                yield f"I3: {one}"
            if one.available and one.drift:
                yield f"drift beside cash: {one}"
            if one.cooldown != cooling[id_]:
                yield f"I5: {id_} has {one.cooldown} in cooldown, the queue has {cooling[id_]}"
            for bucket, total in sums.get(id_, {}).items():
                if getattr(one, bucket) != total:
                    yield f"{id_}: {bucket} is not the sum of its ledger"

    def _journal(self) -> Iterator[str]:
        for order_hash in self.world.venue.accepted:
            if order_hash not in self.state.by_hash:
                yield f"{order_hash} is at the venue and not in the journal"
        for one in self.world.venue.violations:
            yield f"I7: {one}"

    def _copies(self) -> Iterator[str]:
        """I4: of a strategy and a trade there is one order at most, of a claim one hash."""
        copies = Counter[tuple[str, str]]()
        for order_hash in self.world.venue.accepted:
            if order_hash in self.state.by_hash:
                intent = self.state.orders[self.state.by_hash[order_hash]].order.intent
                key = intent.cause if intent.origin.value == "copy" else f"{intent.cause} {intent.attempt}"
                copies[intent.strategy_id, key] += 1
        for (strategy_id, cause), count in copies.items():
            if count > 1:
                yield f"I4: {strategy_id} has {count} orders for {cause}"

    def restless(self) -> list[str]:
        """What has not come to its end yet: must be empty after a while of calm, but for what rests in a book."""
        waiting = []
        for kept in self.state.orders.values():
            order = kept.order
            if order.ended:
                continue
            venue = None if order.signed is None else self.world.venue.exchange.orders.get(order.signed.order_hash)
            if venue is None or str(venue.state) != "LIVE":
                state = None if venue is None else str(venue.state)
                waiting.append(f"{order.order_id} {order.status} {order.intent.origin} never ended; venue: {state}")
        for fills in self.state.fills.values():
            waiting += [
                f"{one.trade_id} is {one.status}" for one in fills.values() if one.status in ("MATCHED", "MINED")
            ]
        for one in self.state.exits.values():
            if one.status.value == "OPEN" and self._is_open(one.condition_id) and not self._is_short(one):
                waiting.append(f"exit {one.exit_id} {one.kind} of {one.strategy_id} is open: {one.detail}")
        return waiting

    def agrees(self) -> Iterator[str]:
        """I7 and positions, when everything rests: orders, shares and cash are those of the venue."""
        exchange = self.world.venue.exchange
        held: dict[tuple[str, str], Decimal] = {}
        cash = {one.name: one.started_usd for one in self.world.accounts}
        for kept in self.state.orders.values():
            order = kept.order
            intent, buys = order.intent, order.intent.side.value == "BUY"
            if order.signed is None:
                if order.status.value != "REJECTED" and order.ended:
                    yield f"{order.order_id} ended as {order.status} without a signature"
                continue
            yield from _as_venue(order, exchange)
            place = (order.signed.account, intent.token_id)
            held[place] = held.get(place, ZERO) + (order.filled_shares if buys else -order.filled_shares)
            cash[order.signed.account] += (
                -order.filled_usd - order.fee_usd if buys else order.filled_usd - order.fee_usd
            )
        for one in self.world.accounts:
            account = exchange.accounts.get(one.funder)
            assert account is not None
            for market in self.world.markets:
                for token_id in market.token_ids:
                    ours, theirs = held.get((one.name, token_id), ZERO), account.shares_micro(token_id) / MICRO
                    if market.payouts is None and ours != theirs:
                        yield f"{one.name}: {ours} shares of {token_id}, the venue has {theirs}"
            paid = Decimal(self.world.redeemed_micro.get(one.name, 0)) / MICRO
            usd = Decimal(account.collateral_micro) / MICRO
            if abs(cash[one.name] + paid - usd) > Decimal("0.0001") * max(1, len(self.state.orders)):
                yield f"{one.name}: {cash[one.name] + paid} USD by our fills, the venue has {usd}"

    def over(self) -> Iterator[str]:
        """After all markets were resolved and redeemed nothing is open, waiting or locked."""
        for kept in self.state.orders.values():
            if not kept.order.ended:
                yield f"{kept.order.order_id} {kept.order.status} never ended"
            if kept.order.shares_open:
                yield f"{kept.order.order_id} still holds {kept.order.shares_open} shares"
        for one in self.state.exits.values():
            if one.status.value == "OPEN":
                yield f"exit {one.exit_id} is open"
        for balance in self.state.balances.values():
            if balance.locked or balance.cooldown:
                yield f"{balance.strategy_id} still has {balance.locked} locked and {balance.cooldown} cooling down"

    def _is_short(self, one: Any) -> bool:
        """Whether an account has nothing left that is worth selling: a buy failed whose shares had been sold before."""
        name = self.world.table.strategies[one.strategy_id].account
        lots = [kept.order for kept in self.state.orders.values() if kept.account == name]
        ours = sum((lot.shares_open for lot in lots if lot.intent.token_id == one.token_id), ZERO)
        [funder] = [account.funder for account in self.world.accounts if account.name == name]
        account = self.world.venue.exchange.accounts.get(funder)
        assert account is not None
        held = account.shares_micro(one.token_id) / MICRO
        return ours > held and str(one.detail).startswith("the account holds")

    def _is_open(self, condition_id: str) -> bool:
        market = self.world.venue.markets.with_condition(condition_id)
        return market is not None and market.state.value == "open"


def _as_venue(order: Any, exchange: Any) -> Iterator[str]:
    """Whether an order came to what the venue made of it: unknown, refused and not found are three things."""
    theirs = exchange.orders.get(order.signed.order_hash)
    name = f"{order.order_id} {order.intent.origin} {order.status}"
    if theirs is None:
        if order.filled_shares or (order.ended and order.status.value not in NEVER_THERE):
            yield f"{name} was never at the venue and has {order.filled_shares} shares"
        return
    shares = ZERO
    for trade_id in dict.fromkeys(theirs.trade_ids):
        trade = exchange.trades[trade_id]
        if trade.status.value != "FAILED":
            shares += sum(leg.size_micro for leg in trade.legs if leg.order_id == theirs.order_id) / MICRO
    if order.filled_shares != shares:
        yield f"{name} has {order.filled_shares} shares, the venue filled {shares} of it ({theirs.state})"
    if shares and order.ended and order.status.value not in ("FILLED", "PARTIAL"):
        yield f"{name} was filled with {shares}"


def _committed(order: Any) -> Decimal:
    """I2, written out again from the columns: what open shares cost, and what a working rest may still cost."""
    signed, intent = order.signed, order.intent
    if intent.side.value == "SELL" or intent.strategy_id.startswith("manual:"):
        return ZERO
    if signed is None or order.ended:
        return Decimal(order.cost_open)
    lock = signed.lock_usd
    if signed.spend_usd is not None:
        rest = max(ZERO, lock - order.filled_usd - order.fee_usd)
    else:
        rest = _ceil(lock * max(ZERO, signed.size_shares - order.filled_shares) / signed.size_shares)
    if order.venue_ended:
        spoken = min(signed.size_shares, max(ZERO, order.venue_matched - order.filled_shares))
        rest = min(rest, _ceil(lock * spoken / signed.size_shares))
    return Decimal(order.cost_open + rest)


def _ceil(usd: Decimal) -> Decimal:
    return Decimal(math.ceil(usd * MICRO)) / MICRO
