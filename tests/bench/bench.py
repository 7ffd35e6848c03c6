"""What every row is given: where to work, how long, and the database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs

from .databases import BenchDatabase, BenchServer, bench_server
from .figures import Say


@attrs.define(eq=False, kw_only=True)
class Bench:
    """One run of the benchmarks."""

    scratch: Path
    """On a disk, because commits are flushed to it."""
    quick: bool
    say: Say
    server: BenchServer
    _homes: int = 0

    async def database(self) -> BenchDatabase:
        """Returns a fresh database."""
        return await self.server.database()

    def home(self) -> Path:
        """Returns a new place for one process's files."""
        self._homes += 1
        return self.scratch / f"home{self._homes}"

    def either(self, quick: float, full: float) -> float:
        """Returns how long or how much, by the kind of run."""
        return quick if self.quick else full


@asynccontextmanager
async def opened_bench(*, scratch: Path, quick: bool, say: Say) -> AsyncIterator[Bench]:
    """Yields a run; its server ends with it."""
    async with bench_server(scratch / "postgres") as server:
        yield Bench(scratch=scratch, quick=quick, say=say, server=server)
