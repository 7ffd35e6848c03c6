"""Follows that change, in a database that fails."""

import attrs
import trio

from protocols.errors import TransientError


@attrs.define(eq=False)
class FakeTargets:
    """`TargetStore` in memory; refuses to be read twice at once."""

    rows: list
    chunk: int = 500
    number: int = 1
    fails: int = 0
    fails_after_chunks: int | None = None
    slow_s: float = 0.0
    versions: int = 0
    readings: int = 0
    reading: int = 0
    all_wallets: bool = False
    changed: trio.Event = attrs.field(factory=trio.Event)

    async def version(self):
        await trio.lowlevel.checkpoint()
        self.versions += 1
        if self.fails:
            self.fails -= 1
            raise TransientError("database down")
        return self.number

    async def wallets(self):
        self.readings += 1
        self.reading += 1
        assert self.reading == 1
        try:
            for start in range(0, len(self.rows), self.chunk):
                await trio.sleep(self.slow_s)
                if self.fails_after_chunks is not None and start // self.chunk >= self.fails_after_chunks:
                    raise TransientError("connection lost")
                yield self.rows[start : start + self.chunk]
        finally:
            self.reading -= 1

    async def everyone(self):
        await trio.lowlevel.checkpoint()
        return self.all_wallets

    async def wait_changed(self, timeout_s):
        with trio.move_on_after(timeout_s):
            await self.changed.wait()
        self.changed = trio.Event()

    def change(self, rows):
        self.rows = rows
        self.number += 1
