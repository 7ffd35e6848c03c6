"""Resolutions of markets over HTTP: the Data API v2."""

from collections.abc import Mapping, Sequence

import attrs

from engine.adapters.upstream import Upstream
from protocols.clock import WallClock
from protocols.venue.resolutions import RESOLUTIONS_PER_CALL_MAX, decode_resolutions


@attrs.define(eq=False, kw_only=True)
class DataApiResolutions:
    """`Resolutions`. v1 has none: where v2 is gone, `RejectedError` says so."""

    api: Upstream
    clock: WallClock
    _requests: int = attrs.field(init=False, default=0)

    async def payouts(self, condition_ids: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
        """One call for twenty ids. Raises `TransientError`, and `RejectedError` when there is no such endpoint."""
        found: dict[str, tuple[int, ...]] = {}
        for start in range(0, len(condition_ids), RESOLUTIONS_PER_CALL_MAX):
            wanted = condition_ids[start : start + RESOLUTIONS_PER_CALL_MAX]
            self._requests += 1
            # The address is unique: answers are cached by it for up to 300 s (venue.md §5.1).
            unique = f"{self.clock.now_ms()}{self._requests:04d}"
            body = await self.api.get(
                "/v2/resolutions", [("condition_id", ",".join(wanted)), ("limit", 100), ("_", unique)]
            )
            said = decode_resolutions(body)
            found |= {id_: payouts for id_ in wanted if (payouts := said.get(id_)) is not None}
        return found
