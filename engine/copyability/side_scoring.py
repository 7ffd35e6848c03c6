"""Scores traders in a process beside the engine: a replay would hold up everything else in its own."""

from collections.abc import Sequence
from decimal import Decimal

import attrs
import msgspec

from config.copyability import CopyabilityConfig
from engine.side_process import SideDesk, SideProcessError
from protocols.copyability import Copyability
from protocols.errors import RejectedError, TransientError

_decode = msgspec.json.Decoder(list[Copyability]).decode


@attrs.frozen(kw_only=True, eq=False)
class SideScoring:
    """`polycopy traders score` as a side process. One of each `kind` at a time."""

    desk: SideDesk
    config: CopyabilityConfig
    kind: str

    async def daily(self, wallets: Sequence[str]) -> Sequence[Copyability]:
        """Returns results at the configured size and time. Raises `TransientError` while busy, `RejectedError` for too much."""
        config = self.config
        return await self.score(wallets, Decimal(config.size_usd), config.days, config.batch_max_s)

    async def score(self, wallets: Sequence[str], size_usd: Decimal, days: int, max_s: float) -> list[Copyability]:
        """Returns results. Raises as `daily`."""
        args = ["traders", "score", *wallets, "--size", str(size_usd), "--days", str(days), "--json"]
        try:
            answer = await self.desk.run(self.kind, args, timeout_s=max_s, memory_mb=self.config.memory_mb)
        except SideProcessError as error:
            raise RejectedError(f"traders could not be scored: {error}") from None
        except RejectedError as error:
            raise TransientError(str(error)) from None
        return _decode(answer)
