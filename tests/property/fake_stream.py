"""The venue's stream on virtual time: sockets that deliver, fall silent, close or refuse, by script."""

from collections.abc import Sequence
from typing import Any

import attrs
import trio
from property.made_trades import NOON_S, frame, transaction

from protocols.errors import TransientError

NEVER = float("inf")


class VenueClock:
    """Wall-clock time that runs with the virtual clock."""

    def now_ms(self) -> int:
        return round((NOON_S + trio.current_time()) * 1000)


@attrs.define(eq=False)
class Plan:
    """How one dial goes and what its socket does afterwards; times in seconds from the opening."""

    dial: str = "ok"
    """ok, refused, hang, crash, or no subscription."""
    frames: Sequence[tuple[float, str | bytes]] = ()
    lost_at_s: float = NEVER
    reason: str = "closed 1013 slow consumer: send buffer full"
    close_takes_s: float = 0.0
    trades_until_s: float = 0.0
    """A live socket: it also delivers the venue's trades until then."""


@attrs.define(eq=False)
class FakeSocket:
    venue: "FakeVenue"
    plan: Plan
    number: int
    opened_s: float
    sent: list[str] = attrs.field(factory=list)
    closing_s: float = NEVER
    closed_s: float = NEVER
    _next: int = 0
    _tape: list[tuple[float, str | bytes]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        scripted = [(self.opened_s + at_s, text) for at_s, text in self.plan.frames]
        live = self.venue.frames_between(self.opened_s, self.opened_s + self.plan.trades_until_s)
        self._tape = sorted([*scripted, *live], key=lambda item: item[0])

    async def receive_many(self, messages_max: int) -> list[str | bytes]:
        await trio.lowlevel.checkpoint()
        lost_s = self.opened_s + self.plan.lost_at_s
        next_s = self._tape[self._next][0] if self._next < len(self._tape) else NEVER
        if next_s <= lost_s and next_s != NEVER:
            await trio.sleep_until(max(next_s, trio.current_time()))
            first = self._next
            while self._next < len(self._tape) and self._tape[self._next][0] <= trio.current_time():
                self._next += 1
                if self._next - first == messages_max:
                    break
            return [text for _, text in self._tape[first : self._next]]
        if lost_s != NEVER:
            await trio.sleep_until(max(lost_s, trio.current_time()))
            raise TransientError(self.plan.reason)
        await trio.sleep_forever()
        return None

    async def send(self, message: str) -> None:
        await trio.lowlevel.checkpoint()
        if self.plan.dial == "no subscription":
            raise TransientError("connection broken")
        self.sent.append(message)

    async def aclose(self) -> None:
        self.closing_s = trio.current_time()
        await trio.sleep(self.plan.close_takes_s)
        self.closed_s = trio.current_time()


@attrs.define(eq=False)
class FakeVenue:
    """`StreamDialer`: dial n goes as plan n says; after the last plan every socket is healthy."""

    plans: Sequence[Plan]
    trade_every_s: float | None = None
    """The venue trades at this rate, whoever listens."""
    healthy_s: float = 1e6
    horizon_s: float = 2_500.0
    """Nobody listens longer than that."""
    dials_s: list[float] = attrs.field(factory=list)
    sockets: list[FakeSocket] = attrs.field(factory=list)

    def frames_between(self, since_s: float, until_s: float) -> list[tuple[float, str]]:
        if self.trade_every_s is None:
            return []
        every_s, until_s = self.trade_every_s, min(until_s, self.horizon_s)
        numbers = range(int(since_s // every_s) + 1, int(until_s // every_s) + 1)
        return [(number * every_s, self.trade(number)) for number in numbers]

    def trade(self, number: int) -> str:
        """The venue's trade `number`, which is told by its size."""
        at_s = int(NOON_S + number * (self.trade_every_s or 1))
        return frame(size=number, timestamp=at_s, transactionHash=transaction(number))

    async def dial(self) -> FakeSocket:
        await trio.lowlevel.checkpoint()
        number = len(self.dials_s)
        self.dials_s.append(trio.current_time())
        plan = self.plans[number] if number < len(self.plans) else Plan(trades_until_s=self.healthy_s)
        if plan.dial == "refused":
            raise TransientError("refused")
        if plan.dial == "hang":
            await trio.sleep_forever()
        if plan.dial == "crash":
            raise RuntimeError("a bug of ours")
        socket = FakeSocket(self, plan, number, trio.current_time())
        self.sockets.append(socket)
        return socket

    def overlaps(self) -> list[tuple[float, float]]:
        """(begin, end) of the times when two sockets were open, the closing counted as open."""
        spans = [(socket.opened_s, socket.closed_s) for socket in self.sockets]
        found = []
        for number, (begin_s, end_s) in enumerate(spans):
            for other_begin_s, other_end_s in spans[number + 1 :]:
                both = max(begin_s, other_begin_s), min(end_s, other_end_s)
                if both[0] < both[1]:
                    found.append(both)
        return found


def numbers_of(raws: Sequence[Any]) -> list[int]:
    return [int(raw.row.size) for raw in raws]
