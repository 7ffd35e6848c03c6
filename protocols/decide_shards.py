"""Strategies divided between processes that decide: which shard is whose, and what a shard calls its part of a decision.

A shard is decided by one process at a time, under a lease of its own. Its decisions about a trade stand beside those of other
shards, so that none takes the trade from another.
"""

from collections.abc import Callable, Iterable

SHARDS = 8
"""So many may decide at most. For ever the same: the name of a part tells who has decided, whoever came or went since."""
LEASE = "decide:"
"""Begins the name of a shard's lease."""
_MARK = "@"


def shard_of(strategy_number: int) -> int:
    """Returns the shard of a strategy, by its number in the database; the settlement's SQL says the same."""
    return strategy_number % SHARDS


def lease_of_shard(shard: int) -> str:
    """Returns the name of the lease under which a shard is decided."""
    return f"{LEASE}{shard:02d}"


def every_lease() -> list[str]:
    """Returns the names of the leases of all shards: whoever decides for all strategies holds them, and nobody else does."""
    return [lease_of_shard(shard) for shard in range(SHARDS)]


def shards_of(lease_names: Iterable[str]) -> frozenset[int]:
    """Returns the shards of leases."""
    return frozenset(int(name.removeprefix(LEASE)) for name in lease_names)


def part_in_shard(part: str, shard: int | None) -> str:
    """Returns what a shard calls a part; None: one process decides for all strategies."""
    return part if shard is None else f"{part}{_MARK}{shard}"


def whole_part(part: str) -> str:
    """Returns what a part is called where one process decides for all."""
    return part.partition(_MARK)[0]


def is_of_shard(part: str) -> bool:
    """Returns whether a part is one shard's."""
    return _MARK in part


def is_decided(part: str, strategy_number: int, decided: Callable[[str], bool]) -> bool:
    """Returns whether a strategy's part of a trade was decided, by one process for all or by its shard.

    Processes that decide for all and processes that decide shards may follow each other: whoever comes later leaves alone what
    the others have decided.
    """
    whole = whole_part(part)
    return decided(whole) or decided(part_in_shard(whole, shard_of(strategy_number)))
