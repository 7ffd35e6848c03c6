"""An edge over a Redis stream: one group whose consumers share the items, or a group a process that reads all of them."""

from collections.abc import Sequence
from typing import Any

import attrs

from engine.adapters.redis.connection import RedisConnection, RefusedReplyError
from engine.adapters.redis.edge_scripts import (
    ACKNOWLEDGE,
    APPEND,
    BURY,
    CLAIM_OWN,
    FIGURES,
    MINE,
    PRUNE,
    TAKE_OVER,
    Script,
)
from protocols.edges import Appended, Delivery, EdgeFigures

PAGE = 500
SENDER_REMEMBERED_S = 86_400
GIVEN_BACK_IDLE_MS = 7 * 86_400_000
"""Longer than any idle time that is waited for."""
GROUP_GONE_MS = 3_600_000
"""Silence after which a group of a fan-out edge is nobody's: one that comes back makes a new one."""
WORKERS = "workers"
AS_IT_IS = -1


@attrs.frozen(kw_only=True)
class RedisEdge:
    """One edge in Redis, the same in every process that uses it."""

    name: str
    prefix: str
    items_max: int
    drops: bool = False
    """A full stream gives up its oldest items; else it takes no more."""
    fan_out: bool = False
    """Each consumer has a group of its own, from now on, and reads everything. Such a stream always gives up its oldest."""
    dead_max: int = 1_000
    take_over_idle_ms: int = 15_000

    def key(self, part: str) -> str:
        """Returns a key; all of one edge lie on one node of a cluster."""
        return f"{{{self.prefix}:edge:{self.name}}}:{part}"


@attrs.define(eq=False, kw_only=True)
class RedisEdgeStore:
    """`EdgeStore` over two connections: one for calls, one that waits in the server for new items."""

    edge: RedisEdge
    calls: RedisConnection
    waiting: RedisConnection
    who: str
    """Unique to a sender, and to a consumer while it lives; the same again after a restart to find at once what was in hand."""
    groups_made: int = attrs.field(init=False, default=0)
    """More than one: the stream or its group was gone."""
    _last_number: int = attrs.field(init=False, default=0)
    """Of a fan-out group: the running number of what was delivered last."""

    async def append(self, number: int, bodies: Sequence[bytes]) -> Appended:
        """See `EdgeStore`. What exceeds a full stream is dropped from its old end, or not kept, as the edge says."""
        edge = self.edge
        keys = (edge.key("stream"), edge.key("counts"), edge.key(f"sender:{self.who}"))
        policy = "drop" if edge.drops or edge.fan_out else "hold"
        # Should the stream not exist, its life is named after this very batch.
        options = (number, edge.items_max, policy, f"{self.who}:{number}", SENDER_REMEMBERED_S)
        kept, dropped, origin, length = await self._script(APPEND, keys, *options, *bodies)
        return Appended(kept=kept, dropped=dropped, origin=origin.decode(), length=length)

    async def take(self, items_max: int, wait_s: float) -> Sequence[Delivery]:
        """See `EdgeStore`."""
        wait_ms = max(1, round(wait_s * 1000))
        block = ("BLOCK", wait_ms) if wait_s > 0 else ()
        stream = self.edge.key("stream")
        arguments = ("GROUP", self._group, self.who, "COUNT", items_max, *block, "STREAMS", stream, ">")
        try:
            reply = await self.waiting.call("XREADGROUP", *arguments, wait_s=wait_s)
        except RefusedReplyError as error:
            await self._make_group(error)
            return ()
        entries = (reply or {}).get(stream.encode(), ())
        return [self._new(entry_id, fields) for entry_id, fields in entries]

    async def mine(self) -> Sequence[Delivery]:
        """See `EdgeStore`."""
        found: list[Delivery] = []
        start = "-"
        while True:
            last, entries = await self._of_group(MINE, self._group, self.who, start, PAGE) or (b"", [])
            found += map(_delivery, entries)
            if not last:
                return found
            start = f"({last.decode()}"

    async def take_over(self) -> Sequence[Delivery]:
        """See `EdgeStore`. On a fan-out edge it only says that this reader lives: its group has no other consumer.

        Asking for new items does not say so before version 7.2 of the server, while there are none; asking for old ones does.
        """
        if self.edge.fan_out:
            arguments = ("GROUP", self._group, self.who, "COUNT", 1, "STREAMS", self.edge.key("stream"), "0")
            try:
                await self.calls.call("XREADGROUP", *arguments)
            except RefusedReplyError as error:
                await self._make_group(error)
            return ()
        idle_ms = self.edge.take_over_idle_ms
        return list(map(_delivery, await self._of_group(TAKE_OVER, self._group, self.who, idle_ms, PAGE) or ()))

    async def recount(self, item_id: str, deliveries: int) -> bool:
        """See `EdgeStore`."""
        return bool(await self._claim_own(0, [(item_id, deliveries)]))

    async def acknowledge(self, item_ids: Sequence[str]) -> int:
        """See `EdgeStore`. What another has taken over meanwhile is ended too: it is done, and he is told when he ends it."""
        keys, delete = (self.edge.key("stream"), self.edge.key("counts")), 0 if self.edge.fan_out else 1
        return sum(
            [
                await self._script(ACKNOWLEDGE, keys, self._group, delete, *item_ids[start : start + PAGE])
                for start in range(0, len(item_ids), PAGE)
            ]
        )

    async def bury(self, delivery: Delivery, reason: str) -> bool:
        """See `EdgeStore`. The newest dead letters stay, `dead_max` of them."""
        edge = self.edge
        keys = (edge.key("stream"), edge.key("counts"), edge.key("dead"))
        what = (self._group, self.who, delivery.item_id, delivery.deliveries, reason, edge.dead_max)
        reply = await self._of_group(BURY, *what, 0 if edge.fan_out else 1, delivery.body, keys=keys)
        return bool(reply)

    async def keep(self, item_ids: Sequence[str]) -> None:
        """See `EdgeStore`."""
        await self._claim_own(0, [(item_id, AS_IT_IS) for item_id in item_ids])

    async def give_back(self, items: Sequence[Delivery]) -> None:
        """See `EdgeStore`."""
        await self._claim_own(GIVEN_BACK_IDLE_MS, [(one.item_id, one.deliveries) for one in items])

    async def figures(self) -> EdgeFigures:
        """See `EdgeStore`."""
        keys = (self.edge.key("stream"), self.edge.key("counts"))
        sent, acknowledged, dead, dropped, in_hand = await self._script(FIGURES, keys, self._group)
        return EdgeFigures(
            sent=sent,
            acknowledged=acknowledged,
            dead=dead,
            dropped=dropped,
            depth=sent - acknowledged - dead - dropped - in_hand,
            in_hand=in_hand,
        )

    async def remove_group(self) -> None:
        """Ends a fan-out group, whose reader is going."""
        await self.calls.call("XGROUP", "DESTROY", self.edge.key("stream"), self._group)

    @property
    def _group(self) -> str:
        return self.who if self.edge.fan_out else WORKERS

    def _new(self, entry_id: bytes, fields: Sequence[bytes]) -> Delivery:
        number, missed = int(fields[1]), 0
        if self.edge.fan_out:
            missed = max(0, number - self._last_number - 1) if self._last_number else 0
            self._last_number = number
        return Delivery(item_id=entry_id.decode(), body=fields[3], deliveries=1, missed=missed)

    async def _claim_own(self, idle_ms: int, pairs: Sequence[tuple[str, int]]) -> int:
        ours = 0
        for start in range(0, len(pairs), PAGE):
            flat = [value for pair in pairs[start : start + PAGE] for value in pair]
            ours += await self._of_group(CLAIM_OWN, self._group, self.who, idle_ms, *flat) or 0
        return ours

    async def _of_group(self, script: Script, *arguments: bytes | str | int, keys: Sequence[str] = ()) -> Any:
        """Runs a script that needs the group; None when it had to be made, since there was nothing of ours in it then."""
        keys = keys or (self.edge.key("stream"), self.edge.key("counts"))
        try:
            return await self._script(script, keys, *arguments)
        except RefusedReplyError as error:
            await self._make_group(error)
            return None

    async def _make_group(self, error: RefusedReplyError) -> None:
        """Makes stream and group where the error says that they are missing; raises any other."""
        if "NOGROUP" not in str(error) and "no such key" not in str(error):
            raise error
        start = "$" if self.edge.fan_out else "0"
        if self.edge.fan_out:
            await self._prune()
        try:
            await self.calls.call("XGROUP", "CREATE", self.edge.key("stream"), self._group, start, "MKSTREAM")
        except RefusedReplyError as again:
            if again.code != "BUSYGROUP":
                raise
            return
        # From now on its silence is counted, should its reader never come to ask.
        await self.calls.call("XGROUP", "CREATECONSUMER", self.edge.key("stream"), self._group, self.who)
        self.groups_made += 1
        self._last_number = 0

    async def _prune(self) -> None:
        try:
            await self._script(PRUNE, (self.edge.key("stream"),), GROUP_GONE_MS)
        except RefusedReplyError as error:
            if "no such key" not in str(error):
                raise

    async def _script(self, script: Script, keys: Sequence[str], *arguments: bytes | str | int) -> Any:
        try:
            return await self.calls.call("EVALSHA", script.sha, len(keys), *keys, *arguments)
        except RefusedReplyError as error:
            if error.code != "NOSCRIPT":
                raise
        return await self.calls.call("EVAL", script.text, len(keys), *keys, *arguments)


def _delivery(entry: Sequence[Any]) -> Delivery:
    return Delivery(item_id=entry[0].decode(), body=entry[1], deliveries=int(entry[2]))
