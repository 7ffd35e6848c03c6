"""Who holds how much of a market, so that nobody but a professional sells what he never bought."""

from collections import defaultdict

from protocols.clock import Random

HOLDERS_MAX = 1_000


class Holdings:
    """Micro-shares by outcome and wallet of one market.

    Only the latest `HOLDERS_MAX` holders of an outcome are remembered; the others never sell.
    """

    def __init__(self) -> None:
        self._amounts: tuple[defaultdict[str, int], defaultdict[str, int]] = (defaultdict(int), defaultdict(int))
        self._holders: tuple[list[str], list[str]] = ([], [])

    def amount(self, wallet: str, outcome_index: int) -> int:
        """Returns what a wallet holds of an outcome."""
        return self._amounts[outcome_index].get(wallet, 0)

    def holders(self, outcome_index: int) -> list[str]:
        """Returns the remembered wallets that hold an outcome, in the order in which they came."""
        return [wallet for wallet, micro in self._amounts[outcome_index].items() if micro > 0]

    def add(self, wallet: str, outcome_index: int, size_micro: int) -> None:
        """Books a purchase, or a sale when negative."""
        amounts = self._amounts[outcome_index]
        if wallet not in amounts:
            self._holders[outcome_index].append(wallet)
        amounts[wallet] += size_micro
        if len(amounts) > HOLDERS_MAX:
            del amounts[next(iter(amounts))]
        if len(self._holders[outcome_index]) > 2 * HOLDERS_MAX:
            self._holders[outcome_index][:] = amounts

    def any_holder(self, outcome_index: int, rng: Random) -> str | None:
        """Returns a random wallet that holds an outcome; forgets those met that hold none any more."""
        holders = self._holders[outcome_index]
        amounts = self._amounts[outcome_index]
        while holders:
            place = rng.randrange(len(holders))
            wallet = holders[place]
            if amounts.get(wallet, 0) > 0:
                return wallet
            holders[place] = holders[-1]
            holders.pop()
            amounts.pop(wallet, None)
        return None
