"""Prices between replicas: what one has fetched serves all, and only one of them fetches."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from protocols.prices import MarketFacts, PriceSource


@attrs.frozen(kw_only=True)
class Want:
    """A market that a flight is for."""

    condition_id: str
    age_max_s: float
    """A price that is younger is good enough."""
    rides: bool = False
    """Nobody waits for it: it is fetched when a call goes out anyway."""
    hidden: bool = False
    """Gamma shows it only with `closed=true`, as far as the asker knows."""


@attrs.frozen(kw_only=True, eq=False)
class SharedQuote:
    """One observation, by whichever replica made it."""

    facts: MarketFacts
    source: PriceSource
    hidden: bool
    resolved: bool
    ended: bool
    """Nobody can trade any more, and what the shares pay is not known yet."""
    as_of_ms: int
    """Wall-clock time of the replica that asked, for people: no rule compares it with another clock."""
    observed_s: float
    """When the venue was asked, in monotonic time of this process; rather too early than too late."""


@attrs.frozen(kw_only=True)
class Boarding:
    """What a flight is told before it leaves."""

    found: Sequence[SharedQuote] = ()
    """Young enough."""
    absent: Sequence[str] = ()
    """The venue said lately that it has no such market."""
    ours: Sequence[str] = ()
    """To be fetched by this flight and by no other: wanted, or riding."""
    along: Sequence[str] = ()
    """The same for markets that other replicas' users look at."""
    along_hidden: Sequence[str] = ()
    """The same for hidden ones, own riders among them, in a call that looks for hidden markets anyway."""
    theirs: Mapping[str, float] = attrs.field(factory=dict)
    """Another flight fetches them: seconds until its claim ends."""


@attrs.frozen(kw_only=True)
class Published:
    """What a flight brought, or another one did."""

    quotes: Sequence[SharedQuote] = ()
    absent: Sequence[str] = ()


class SharedQuotes(Protocol):
    """The store between replicas. All methods raise `TransientError`; then each replica fetches for itself."""

    async def board(self, flight: str, wants: Sequence[Want], room: int) -> Boarding:
        """Settles who fetches what, in one crossing. `flight` is unique; `room` is how many markets it may bring in all.

        Claims end by themselves: a replica that dies costs the others a moment.
        """
        ...

    async def publish(self, flight: str, brought: Published, left: Sequence[str]) -> None:
        """Gives what a flight brought to everybody; ends its claims, also of what is `left`. One crossing."""
        ...

    async def tell(self, condition_ids: Sequence[str]) -> None:
        """Says that users of this replica have asked for these since they were seen, so that any call takes them along."""
        ...

    async def news(self, is_wanted: "IsWanted", wait_s: float) -> Published:
        """Returns what was published since the last call, as far as it is wanted; waits for it a while."""
        ...


class IsWanted(Protocol):
    """Which markets are worth decoding."""

    def __call__(self, condition_id: str, /) -> bool: ...
