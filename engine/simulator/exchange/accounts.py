"""Wallets that trade: what they hold, what they let exchanges take, and what the venue thinks of them."""

from collections.abc import Iterable, Iterator, Mapping

import attrs

from protocols.venue.order_typed_data import ExchangeKind

ALL_EXCHANGES = frozenset(ExchangeKind)
UNLIMITED = 2**256 - 1
"""What an approval allows, in base units."""


@attrs.define(eq=False, kw_only=True)
class Account:
    """One wallet, by the address that holds the funds. Millionths of pUSD and of shares."""

    address: str
    """Lower case."""
    signature_type: int = 0
    """0 EOA, 1 proxy, 2 safe, 3 deposit wallet (venue.md §4.2)."""
    signer: str | None = None
    """Address of the key that may sign for it, lower case; None: learned from its first order."""
    collateral_micro: int = 0
    positions: dict[str, int] = attrs.field(factory=dict)
    """Shares by token."""
    approved: frozenset[ExchangeKind] = ALL_EXCHANGES
    """Exchanges that may take its pUSD and shares."""
    banned: bool = False
    closed_only: bool = False
    """May sell, not buy."""

    def shares_micro(self, token_id: str) -> int:
        """Returns what it holds of a token."""
        return self.positions.get(token_id, 0)

    def add_shares(self, token_id: str, change_micro: int) -> None:
        """Changes what it holds of a token."""
        left = self.positions.get(token_id, 0) + change_micro
        if left:
            self.positions[token_id] = left
        else:
            self.positions.pop(token_id, None)


class Accounts:
    """Every account, and the house: the anonymous other side of the background book, which may owe."""

    def __init__(self) -> None:
        self._by_address: dict[str, Account] = {}
        self.house = Account(address="0x" + "00" * 20)
        self.deposited_micro = 0
        """pUSD that ever came in, less what was taken out."""

    def __iter__(self) -> Iterator[Account]:
        return iter(self._by_address.values())

    def get(self, address: str) -> Account | None:
        """Returns the account of a funder in any case."""
        return self._by_address.get(address.lower())

    def open(
        self,
        address: str,
        *,
        collateral_micro: int,
        signature_type: int = 0,
        signer: str | None = None,
        approved: Iterable[ExchangeKind] = ALL_EXCHANGES,
        positions: Mapping[str, int] | None = None,
    ) -> Account:
        """Returns the account of an address, made or changed to hold exactly this; shares come out of the house."""
        account = self._by_address.get(address.lower())
        if account is None:
            account = self._by_address[address.lower()] = Account(address=address.lower())
        self.deposited_micro += collateral_micro - account.collateral_micro
        account.collateral_micro = collateral_micro
        account.signature_type = signature_type
        if signature_type == 0:
            account.signer = account.address
        elif signer is not None:
            account.signer = signer.lower()
        account.approved = frozenset(approved)
        for token_id, wanted_micro in (positions or {}).items():
            change = wanted_micro - account.shares_micro(token_id)
            account.add_shares(token_id, change)
            self.house.add_shares(token_id, -change)
        return account

    def of_signer(self, signer: str, signature_type: int) -> Account | None:
        """Returns the account that a key has with a signature type (venue.md §4.7).

        A key seen for the first time gets the one account of that type that nobody has signed for yet.
        """
        if signature_type == 0:
            return self.get(signer)
        fitting = [each for each in self if each.signature_type == signature_type]
        for account in fitting:
            if account.signer == signer.lower():
                return account
        unclaimed = [each for each in fitting if each.signer is None]
        return unclaimed[0] if len(unclaimed) == 1 else None
