"""What the settlers ask about markets: Gamma's word and the Data API's, of the simulated venue."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import trio
from simulation.live_sim.sim_venue import SimVenue

from engine.simulator.gamma_market import gamma_market
from engine.simulator.wire_numbers import encode_json
from protocols.errors import TransientError
from protocols.markets import Market
from protocols.venue.gamma import market_from
from protocols.venue.strict_json import read_object


@attrs.define(eq=False)
class SimMarkets:
    """`DecisionMarkets`, `MarketStore`, `MarketCatalog` and `Resolutions`; nothing is ever stored, so everything is asked."""

    venue: SimVenue

    async def find(self, condition_ids: Sequence[str]) -> Mapping[str, Any]:
        await trio.lowlevel.checkpoint()
        return {}

    async def upsert(self, markets: Sequence[Market]) -> None:
        await trio.lowlevel.checkpoint()

    async def missing(self, condition_ids: Sequence[str]) -> list[str]:
        await trio.lowlevel.checkpoint()
        return []

    async def traded_without_market(self, after: str, ids_max: int) -> tuple[list[str], str]:
        await trio.lowlevel.checkpoint()
        return [], ""

    async def markets(self, condition_ids: Sequence[str], *, closed: bool | None) -> list[Market]:
        await self._travel()
        found = [self.venue.markets.with_condition(one) for one in condition_ids]
        now_ms = self.venue.clock.now_ms()
        texts = [encode_json(gamma_market(one, now_ms)) for one in found if one is not None]
        markets = [market_from(read_object(text)) for text in texts]
        return [one for one in markets if closed is None or one.closed is closed]

    async def payouts(self, condition_ids: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
        await self._travel()
        found = [self.venue.markets.with_condition(one) for one in condition_ids]
        return {one.condition_id: one.payouts for one in found if one is not None and one.payouts is not None}

    async def _travel(self) -> None:
        await trio.sleep(self.venue.delay_s())
        if self.venue.weather.down or self.venue.rng.random() < self.venue.weather.lost:
            raise TransientError("no answer")
