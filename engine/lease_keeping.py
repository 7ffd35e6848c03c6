"""Holds leases for as long as something runs under them, and knows until when that is safe."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import attrs
import trio

from actors.rules.backoff import Backoff
from engine.adapters.postgres.leases import LeaseHold, LeaseOffice, Leases
from protocols.clock import Random
from protocols.errors import TransientError

_log = logging.getLogger(__name__)
RELEASE_TIMEOUT_S = 2.0
MARGIN_RATIO = 0.2
"""Part of a lease's time in which its holder does nothing any more that the database cannot refuse."""


@attrs.define(eq=False, kw_only=True)
class HeldLeases:
    """Leases that are extended in time. Writes are fenced by their epochs; what goes elsewhere asks `is_safe` first.

    What is safe goes by this machine's own clock: a lease counts from before it was asked for, and ends a margin early. A
    process that was stopped and goes on finds that its time is over.
    """

    office: LeaseOffice
    leases: Leases
    _safe_until_s: float

    @property
    def names(self) -> list[str]:
        """Returns the names of the leases, in order."""
        return [hold.name for hold in self.leases.holds]

    def is_safe(self) -> bool:
        """Returns whether nobody else can hold one of them by now."""
        return trio.current_time() < self._safe_until_s

    async def keep(self) -> None:
        """Extends them until cancelled. Raises `FencedError` when one was taken over."""
        await extend_forever(self.office, self.leases.holds, self._extended)

    def _extended(self, asked_s: float) -> None:
        self._safe_until_s = safe_until_s(asked_s, self.office)


async def extend_forever(
    office: LeaseOffice, holds: Sequence[LeaseHold], extended: Callable[[float], None] = lambda _asked_s: None
) -> None:
    """Extends leases in time until cancelled. Raises `FencedError` when one was taken over.

    The first time is at once: the first of several leases may have been taken long before the last, and is worth less than it
    seems. `extended` is told when it was asked, monotonic seconds, each time that all of them were. While the database does
    not answer it goes on: writes carry the epochs, so that until somebody takes over nothing wrong can happen.
    """
    last_s = trio.current_time()
    while True:
        asked_s = trio.current_time()
        try:
            for hold in holds:
                await office.extend(hold)
        except TransientError as error:
            fields = {"leases": ", ".join(hold.name for hold in holds), "error": str(error)}
            _log.warning("leases not extended, trying again", extra=fields)
            # Another server may be the one to ask by now, and time is running out.
            is_running_out = trio.current_time() < last_s + office.ttl_s
            await trio.sleep(office.ttl_s / (15 if is_running_out else 3))
        else:
            extended(asked_s)
            last_s = asked_s
            await trio.sleep(office.ttl_s / 3)


def safe_until_s(asked_s: float, office: LeaseOffice) -> float:
    """Returns until when a lease that was asked for at `asked_s` is safe, monotonic seconds."""
    return asked_s + office.ttl_s * (1 - MARGIN_RATIO)


@asynccontextmanager
async def most_leases(
    office: LeaseOffice, names: Sequence[str], rng: Random, *, patience_s: float
) -> AsyncIterator[HeldLeases]:
    """Waits for leases, one after another in the order of names, yields those that it got and keeps them, and gives them back.

    One whose holder has died is free within its time; one that is held after `patience_s` is left to its holder. Whoever takes
    several takes them in this order, so that two never wait for each other.
    """
    holds: list[LeaseHold] = []
    try:
        asked_s = trio.current_time()
        for name in sorted(names):
            hold = await _acquired(office, name, rng, holds, asked_s + patience_s)
            if hold is not None:
                holds.append(hold)
        held = HeldLeases(office=office, leases=Leases(tuple(holds)), safe_until_s=safe_until_s(asked_s, office))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(held.keep)
            yield held
            nursery.cancel_scope.cancel()
    finally:
        await give_back(office, holds)


async def _acquired(
    office: LeaseOffice, name: str, rng: Random, held: Sequence[LeaseHold], until_s: float
) -> LeaseHold | None:
    backoff = Backoff(first_s=0.2, max_s=5, rng=rng)
    while True:
        try:
            answer = await office.acquire(name)
            if isinstance(answer, LeaseHold):
                return answer
            if trio.current_time() > until_s:
                _log.error("a lease stays with its holder", extra={"lease": name, "holder": answer.holder})
                return None
            _log.warning("waiting for a lease", extra={"lease": name, "holder": answer.holder})
            await trio.sleep(min(answer.left_s + 0.05, office.ttl_s / 3))
            for hold in held:
                await office.extend(hold)
        except TransientError as error:
            _log.warning("waiting for a lease", extra={"lease": name, "error": str(error)})
            await trio.sleep(backoff.next_s())


async def give_back(office: LeaseOffice, holds: Sequence[LeaseHold]) -> None:
    """Gives leases back, also while it is cancelled; one that cannot be given back runs out by itself."""
    with trio.move_on_after(RELEASE_TIMEOUT_S, shield=True):
        for hold in holds:
            try:
                await office.release(hold)
            except TransientError as error:
                fields = {"lease": hold.name, "error": str(error)}
                _log.warning("a lease was not given back, it will expire", extra=fields)
