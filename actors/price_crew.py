"""What the flights of this replica have to do with those of others: their wants, and what is taken from elsewhere."""

from collections.abc import Collection, Sequence

import attrs
import trio

from actors.price_flight import VALUES_MAX, Flight, FlightQueue
from actors.price_memory import PriceMemory
from actors.price_pilot import PricePilot
from actors.rules.price_wire import quote_of
from protocols.shared_quotes import SharedQuote, Want

LOOKED_AT_S = 60.0
"""What nobody here has asked for since is not taken from the news of others; who asks again finds it in the store."""


@attrs.frozen(eq=False)
class PriceCrew:
    """`Crew` of `PriceSharing`, over the pilot."""

    pilot: PricePilot

    @property
    def memory(self) -> PriceMemory:
        """What this replica knows."""
        return self.pilot.memory

    @property
    def queue(self) -> FlightQueue:
        """Its flights."""
        return self.pilot.queue

    async def fetch_all(self, flight: Flight) -> None:
        """Asks the venue for whatever a flight has not brought yet."""
        await self.pilot.fetch_all(flight)

    async def fetch(self, flight: Flight, asked: Sequence[str], along: Sequence[str]) -> None:
        """Asks the venue for some markets; `along` in a call for hidden ones, if there is one anyway."""
        await self.pilot.fetch(flight, asked, along)

    def take(self, quotes: Sequence[SharedQuote], absent: Collection[str], flight: Flight | None = None) -> None:
        """Takes what another replica has fetched. It writes the rows too."""
        for shared in quotes:
            condition_id = shared.facts.condition_id
            last = self.pilot.last(condition_id)
            quote = quote_of(
                shared.facts, shared.source, as_of_ms=shared.as_of_ms, observed_s=shared.observed_s, last=last
            )
            if last is not None and last.observed_s > quote.observed_s:
                quote = last
            else:
                self.pilot.remember(quote, last, hidden=shared.hidden)
                self.pilot.writes.note_row(quote.facts)
            if flight is not None:
                flight.quotes[condition_id] = quote
        for condition_id in absent:
            self.pilot.absent.add(condition_id, trio.current_time())
        if flight is not None:
            flight.absent.update(absent)

    def wants_of(self, flight: Flight, tried: Collection[str]) -> tuple[list[Want], int]:
        """Returns what a flight has not brought, without what the venue was asked for; and room in a call, in values."""
        now_s = trio.current_time()
        wants = [
            Want(
                condition_id=condition_id,
                age_max_s=flight.wanted[condition_id],
                rides=condition_id in flight.riders,
                hidden=self.is_hidden(condition_id),
            )
            for condition_id in flight.condition_ids
            if not (condition_id in flight.quotes or condition_id in flight.absent or condition_id in tried)
        ]
        if self.pilot.desk.gamma.blocked(now_s):
            return wants, 0
        hidden = [
            Want(condition_id=id_, age_max_s=0.0, rides=True, hidden=True)
            for id_ in self.pilot.hidden_riders(flight, now_s)
        ]
        return [*wants, *hidden], VALUES_MAX

    def is_hidden(self, condition_id: str) -> bool:
        """Returns whether Gamma shows a market only among closed ones."""
        entry = self.pilot.memory.get(condition_id)
        return entry is not None and entry.hidden

    def is_absent(self, condition_id: str) -> bool:
        """Returns whether the venue said lately that it has no such market."""
        return self.pilot.absent.holds(condition_id, trio.current_time())

    def is_looked_at(self, condition_id: str) -> bool:
        """Returns whether somebody here waits for a market, watches it, or asked for it lately."""
        entry = self.pilot.memory.get(condition_id)
        is_asked = entry is not None and entry.asked_s >= trio.current_time() - LOOKED_AT_S
        return is_asked or condition_id in self.pilot.watchers or self.pilot.queue.is_booked(condition_id)

    def asked_since_seen(self) -> Sequence[tuple[str, float]]:
        """Returns what users here have asked for since it was observed, and when that was."""
        candidates = self.pilot.memory.candidates(trio.current_time())
        return [(one.condition_id, one.observed_s) for one in candidates if one.asked_s > one.observed_s]
