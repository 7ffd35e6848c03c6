"""Deciding and trading in different processes: what each has to hear of the other, through the database."""

from collections.abc import Collection, Sequence
from typing import Protocol

import attrs


@attrs.frozen
class HeldCopy:
    """Something that a live strategy holds or is buying, by the trader it was copied from."""

    trader: str
    condition_id: str
    token_id: str
    ft_wallet_id: str
    """The paper strategy that it mirrors."""


class HeldCopyStore(Protocol):
    """For who decides: what live strategies hold, whoever trades them."""

    async def held(self) -> Sequence[HeldCopy]:
        """Returns everything that is open or being bought. Raises `TransientError`."""
        ...

    async def ring(self) -> None:
        """Tells who trades that claims were committed. Raises `TransientError`."""
        ...


class OpenWork(Protocol):
    """For who trades: what was committed by somebody else."""

    async def waiting(self) -> Collection[str]:
        """Returns ids of claims and of obligations of our accounts that nobody has taken up. Raises `TransientError`."""
        ...
