"""`EdgeStore` over the model of Redis, and what happens on the way to it: answers that are late, or lost, or cut off."""

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import trio
from simulation.cluster_sim.cluster_database import Way
from simulation.cluster_sim.redis_model import RedisServer

from protocols.edges import Appended, Delivery, EdgeFigures
from protocols.errors import TransientError

REFUSED, ARRIVES_LATE = 0.4, 0.8
"""Fates of a question over a way that is cut, as shares of one; the rest is never heard of."""


@attrs.define(eq=False)
class _Question:
    work: Callable[[], Any]
    waits_s: float
    answered: trio.Event = attrs.field(factory=trio.Event)
    result: Any = None
    error: Exception | None = None

    def land(self, result: Any, error: Exception | None = None) -> None:
        self.result, self.error = result, error
        self.answered.set()


@attrs.define(eq=False)
class _RedisLine:
    """A connection. A question travels by itself: it is answered also when nobody waits for that any more."""

    server: RedisServer
    way: Way
    _lock: trio.Lock = attrs.field(init=False, factory=trio.Lock)

    async def ask(self, work: Callable[[], Any], waits_s: float = 0.0) -> Any:
        async with self._lock:
            await trio.lowlevel.checkpoint()
            if self.way.is_dead:
                raise TransientError("nobody asks")
            question = _Question(work, waits_s)
            self.server.nursery.start_soon(self._travel, question)
            with trio.move_on_after(self.server.timeout_s + waits_s):
                await question.answered.wait()
                if question.error is not None:
                    raise question.error
                return question.result
            raise TransientError("no answer of redis in time")

    async def _travel(self, question: _Question) -> None:
        server, rng, way, life = self.server, self.server.rng, self.way, self.server.life
        await trio.sleep(server.latency_s * rng.uniform(0.2, 3))
        if way.is_cut and not await self._gets_over_the_cut(question):
            return
        if server.down or server.life != life or rng.random() < server.fails_before:
            question.land(None, TransientError("redis is gone"))
            return
        result = await self._answer(question, life)
        await trio.sleep(server.latency_s * rng.uniform(0, 1))
        if server.life != life or rng.random() < server.fails_after:
            server.lost_answers += 1
            question.land(None, TransientError("the connection to redis was lost after the work"))
        elif not way.is_cut:
            question.land(result)

    async def _answer(self, question: _Question, life: int) -> Any:
        """Blocks in the server for as long as the question wants; also for one who sleeps, whose connection is there."""
        server, until_s = self.server, trio.current_time() + question.waits_s
        result = question.work()
        while not result and trio.current_time() < until_s and server.life == life and not self.way.is_dead:
            with trio.move_on_at(until_s):
                await server.arrived.wait()
            if server.life == life:
                result = question.work()
        return result

    async def _gets_over_the_cut(self, question: _Question) -> bool:
        fate = self.server.rng.random()
        if fate < REFUSED:
            question.land(None, TransientError("no way to redis"))
        elif fate < ARRIVES_LATE:
            await self.way.joined.wait()
            return True
        return False


@attrs.define(eq=False, kw_only=True)
class ModelEdgeStore:
    """`EdgeStore` of one process, over two connections as `RedisEdgeStore` has them."""

    server: RedisServer
    way: Way
    who: str
    _calls: _RedisLine = attrs.field(init=False)
    _waiting: _RedisLine = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._calls, self._waiting = _RedisLine(self.server, self.way), _RedisLine(self.server, self.way)

    async def append(self, number: int, bodies: Sequence[bytes]) -> Appended:
        answer: Appended = await self._calls.ask(lambda: self.server.append(self.who, number, bodies))
        return answer

    async def take(self, items_max: int, wait_s: float) -> Sequence[Delivery]:
        answer: Sequence[Delivery] = await self._waiting.ask(lambda: self.server.take(self.who, items_max), wait_s)
        return answer

    async def mine(self) -> Sequence[Delivery]:
        answer: Sequence[Delivery] = await self._calls.ask(lambda: self.server.mine(self.who))
        return answer

    async def take_over(self) -> Sequence[Delivery]:
        answer: Sequence[Delivery] = await self._calls.ask(lambda: self.server.take_over(self.who))
        return answer

    async def recount(self, item_id: str, deliveries: int) -> bool:
        return bool(await self._calls.ask(lambda: self.server.claim_own(self.who, [(item_id, deliveries)])))

    async def acknowledge(self, item_ids: Sequence[str]) -> int:
        answer: int = await self._calls.ask(lambda: self.server.acknowledge(item_ids))
        return answer

    async def bury(self, delivery: Delivery, reason: str) -> bool:
        return bool(await self._calls.ask(lambda: self.server.bury(self.who, delivery)))

    async def keep(self, item_ids: Sequence[str]) -> None:
        await self._calls.ask(lambda: self.server.claim_own(self.who, [(one, None) for one in item_ids]))

    async def give_back(self, items: Sequence[Delivery]) -> None:
        pairs = [(one.item_id, one.deliveries) for one in items]
        await self._calls.ask(lambda: self.server.claim_own(self.who, pairs, given_back=True))

    async def figures(self) -> EdgeFigures:
        answer: EdgeFigures = await self._calls.ask(self.server.figures)
        return answer
