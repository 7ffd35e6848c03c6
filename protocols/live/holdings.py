"""What forward testing has to know of live positions: a copied trader's sale closes them too."""

from collections.abc import Collection, Iterable
from typing import NamedTuple, Protocol


class LiveCopy(NamedTuple):
    """What a live strategy holds or buys because of a trader."""

    wallet_id: str
    """Of the paper strategy that it mirrors."""
    trader: str
    condition_id: str
    token_id: str


class LiveHoldings(Protocol):
    """Live positions by the trader they were copied from."""

    async def wait_loaded(self) -> None:
        """Returns when positions have been read."""
        ...

    def holders(self, trader: str, token_id: str) -> Collection[str]:
        """Returns wallet_ids of the paper strategies whose live mirrors hold, or are buying, what a trader was copied in."""
        ...

    def copies(self) -> Iterable[LiveCopy]:
        """Returns what live mirrors hold, or are buying, because of a trader."""
        ...

    def pairs(self) -> Iterable[tuple[str, str, str]]:
        """Returns (trader, condition_id, token_id) of everything held or being bought."""
        ...


class NoLiveHoldings:
    """An engine without live trading."""

    async def wait_loaded(self) -> None:
        """Returns at once."""

    def holders(self, trader: str, token_id: str) -> Collection[str]:
        """Returns nothing."""
        return ()

    def copies(self) -> Iterable[LiveCopy]:
        """Returns nothing."""
        return ()

    def pairs(self) -> Iterable[tuple[str, str, str]]:
        """Returns nothing."""
        return ()
