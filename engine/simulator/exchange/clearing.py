"""Whose money and shares move, and when: given up when matched, received when mined, given back when failed.

Everything is whole millionths, and nothing is made or lost: what is given up waits in escrow, and pairs of outcomes that are
minted lock one USD each, which merging and redeeming sets free (venue.md §7.2).
"""

from collections import Counter

from engine.simulator.exchange.accounts import Account, Accounts
from engine.simulator.exchange.trades import Leg, VenueTrade
from engine.simulator.market import Market
from engine.simulator.wire_numbers import MICRO


class Clearing:
    """Moves the balances of accounts and of the house."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self.escrow_micro = 0
        """USD of trades that are not mined."""
        self.escrow_shares: Counter[str] = Counter()
        """Shares of trades that are not mined, by token."""
        self.fees_micro = 0
        """Earned by the venue."""
        self.locked: Counter[str] = Counter()
        """USD behind the shares of each market, by condition; below zero where the house has sold shares short."""

    def give_up(self, trade: VenueTrade) -> None:
        """Takes from everybody what the trade costs him."""
        self._move(trade, sign=-1)

    def give_back(self, trade: VenueTrade) -> None:
        """Unwinds `give_up` of a trade that failed."""
        self._move(trade, sign=1)

    def settle(self, trade: VenueTrade) -> None:
        """Hands everybody what he traded for."""
        for leg in trade.legs:
            account = self._account(leg)
            token_id = trade.market.token_ids[leg.outcome_index]
            if leg.side == "BUY":
                self.escrow_micro -= leg.cash_micro + leg.fee_micro
                self.locked[trade.market.condition_id] += leg.cash_micro
                account.add_shares(token_id, leg.size_micro)
            else:
                self.escrow_shares[token_id] -= leg.size_micro
                self.locked[trade.market.condition_id] -= leg.cash_micro
                account.collateral_micro += leg.cash_micro - leg.fee_micro
            self.fees_micro += leg.fee_micro

    def redeem(self, account: Account, market: Market) -> int:
        """Pays an account for its shares of a resolved market and takes them. Returns millionths of a USD.

        Raises `ValueError` while the market has no payouts.
        """
        if market.payouts is None:
            raise ValueError("the market is not resolved")
        paid_micro = 0
        for token_id, payout_micro in zip(market.token_ids, market.payouts, strict=True):
            shares_micro = account.shares_micro(token_id)
            paid_micro += shares_micro * payout_micro // MICRO
            account.add_shares(token_id, -shares_micro)
        account.collateral_micro += paid_micro
        self.locked[market.condition_id] -= paid_micro
        return paid_micro

    def total_micro(self) -> int:
        """Returns all the USD there are; equal to what was deposited, whatever happened."""
        held = sum(account.collateral_micro for account in self._accounts) + self._accounts.house.collateral_micro
        return held + self.escrow_micro + self.fees_micro + sum(self.locked.values())

    def shares_micro(self, token_id: str) -> int:
        """Returns all the shares of a token there are, what the house owes taken off: the same for both outcomes."""
        held = sum(account.shares_micro(token_id) for account in self._accounts)
        return held + self._accounts.house.shares_micro(token_id) + self.escrow_shares[token_id]

    def _move(self, trade: VenueTrade, *, sign: int) -> None:
        for leg in trade.legs:
            account = self._account(leg)
            token_id = trade.market.token_ids[leg.outcome_index]
            if leg.side == "BUY":
                account.collateral_micro += sign * (leg.cash_micro + leg.fee_micro)
                self.escrow_micro -= sign * (leg.cash_micro + leg.fee_micro)
            else:
                account.add_shares(token_id, sign * leg.size_micro)
                self.escrow_shares[token_id] -= sign * leg.size_micro

    def _account(self, leg: Leg) -> Account:
        if leg.is_house:
            return self._accounts.house
        account = self._accounts.get(leg.funder)
        if account is None:
            raise LookupError(leg.funder)
        return account
