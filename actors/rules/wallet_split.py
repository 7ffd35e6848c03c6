"""Which member polls which wallet: the one with the highest hash of both (rendezvous hashing).

Each wallet has one owner for one set of members, whatever order they are given in. A member that joins takes wallets only for
itself, and one that leaves gives away only its own: no other wallet moves.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b


def owner_of(wallet: str, members: Sequence[str]) -> str | None:
    """Returns the id of the member that owns a wallet (lower case); None without members."""
    if len(members) <= 1:
        return members[0] if members else None
    return max(members, key=lambda member: (_weight(wallet, member), member))


def owned(wallets: Iterable[str], me: str, members: Sequence[str]) -> list[str]:
    """Returns the wallets of one member, in their order."""
    return [wallet for wallet in wallets if owner_of(wallet, members) == me]


def _weight(wallet: str, member: str) -> bytes:
    return blake2b(f"{member}\0{wallet}".encode(), digest_size=8).digest()
