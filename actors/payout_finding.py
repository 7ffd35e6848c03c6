"""What resolved markets pay: found once a market, whoever holds something of it. Part of the settlers."""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import attrs
import trio

from actors.market_asking import ask_markets, call_spans
from actors.rules.log_limit import LogLimit
from actors.rules.paper.settlement import agreed, payouts_of
from protocols.clock import WallClock
from protocols.errors import RejectedError, TransientError
from protocols.ingest import MarketCatalog, MarketStore
from protocols.markets import Market
from protocols.paper import OpenMarket, Payouts, Resolutions
from protocols.venue.market_input import market_input

_log = logging.getLogger(__name__)
PAGE_MARKETS = 500
PATIENT_PASSES = 3
"""So many passes that the Data API does not answer Gamma's word alone has to wait."""
OpenMarkets = Callable[[str, int], Awaitable[Sequence[OpenMarket]]]
"""Returns markets with something open after an id, at most so many, in the order of their ids."""
Settle = Callable[[Sequence[Payouts]], Awaitable[int]]
"""Settles what is open of these markets and returns how much it was. Raises `RejectedError` when they are refused together."""


@attrs.define(kw_only=True)
class PassFigures:
    """What one pass over all open markets came to. Markets are counted once in each line that fits."""

    markets: int = 0
    """With open orders."""
    stored: int = 0
    """Settled by what is stored, with no call."""
    asked: int = 0
    """Asked of the venue."""
    resolved: int = 0
    """Of those asked."""
    absent: int = 0
    """Not known to the venue."""
    unknown_tokens: int = 0
    """With an order whose token the market does not have: never guessed (D64)."""
    disagreements: int = 0
    """Gamma says something else than the Data API, or the latter nothing that fits."""
    refused: int = 0
    """The database takes no settlement of theirs."""
    calls: int = 0
    orders: int = 0
    """Settled."""


@attrs.define(eq=False, kw_only=True)
class PayoutFinder:
    """open markets, resolutions → payouts. Each market once a pass, however many orders it has."""

    open_markets: OpenMarkets
    settle: Settle
    markets: MarketStore
    catalog: MarketCatalog
    resolutions: Resolutions
    clock: WallClock
    totals: Counter[str] = attrs.field(init=False, factory=Counter)
    """`PassFigures` of all passes; of one that failed what it came to."""
    _silent_passes: int = attrs.field(init=False, default=0)
    """In a row, in which the Data API did not answer."""
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    async def pass_once(self) -> PassFigures:
        """Settles what can be settled now. Raises `TransientError` and `FencedError`; what was settled until then stays so."""
        one = _Pass(finder=self)
        try:
            await one.walk()
        finally:
            self.totals.update(attrs.asdict(one.figures))
        self._silent_passes = self._silent_passes + 1 if one.data_failed else 0
        return one.figures

    @property
    def is_patient(self) -> bool:
        """Returns whether a market waits for the Data API though Gamma alone would do."""
        return self._silent_passes < PATIENT_PASSES

    def warn(self, key: str, message: str, **fields: object) -> None:
        """Logs at most one line of a kind in ten seconds."""
        if self._log_limit.allows(key, trio.current_time()) is not None:
            _log.warning(message, extra=fields)


@attrs.define(eq=False, kw_only=True)
class _Pass:
    """One walk over all open markets."""

    finder: PayoutFinder
    figures: PassFigures = attrs.field(factory=PassFigures)
    data_failed: bool = False
    data_gone: bool = False
    """There are no resolutions here: Gamma alone decides."""

    async def walk(self) -> None:
        after = ""
        while page := await self.finder.open_markets(after, PAGE_MARKETS):
            after = page[-1].condition_id
            self.figures.markets += len(page)
            stored = {one.condition_id: payouts for one in page if (payouts := _stored(one)) is not None}
            self.figures.stored += len(stored)
            await self._settle(
                [self._told(one, stored[one.condition_id]) for one in page if one.condition_id in stored]
            )
            await self._ask({one.condition_id: one for one in page if one.condition_id not in stored})

    async def _ask(self, wanted: dict[str, OpenMarket]) -> None:
        ids = list(wanted)
        self.figures.asked += len(ids)
        for start, end in call_spans(ids):
            asked_ms = self.finder.clock.now_ms()
            found = await ask_markets(self.finder.catalog, ids[start:end], self._count_call)
            self.figures.absent += end - start - len(found)
            closed = [market for market in found if market.closed and market.condition_id in wanted]
            said = await self._resolutions([market.condition_id for market in closed])
            if said is None:
                await self._keep([market for market in found if not market.closed])
                continue
            payouts = list[Payouts]()
            for market in closed:
                told = self._agreed(market, said.get(market.condition_id), asked_ms)
                if told is not None:
                    payouts.append(self._told(wanted[market.condition_id], told))
            self.figures.resolved += len(payouts)
            await self._settle(payouts)
            # Not before: what is stored as resolved is settled without asking the Data API.
            await self._keep(found)

    def _agreed(self, market: Market, said: tuple[int, ...] | None, asked_ms: int) -> Payouts | None:
        seen = market_input(market, asked_ms)
        if not seen.token_ids:
            self.figures.unknown_tokens += 1
            return None
        agreement = agreed(seen, said)
        if agreement.disagree:
            self.figures.disagreements += 1
            fields = {"condition_id": market.condition_id, "gamma": str(market.outcome_prices), "data": str(said)}
            self.finder.warn("disagree", "two sources disagree about a resolution", **fields)
        payouts = agreement.payouts
        return None if payouts is None else attrs.evolve(payouts, resolved_ms=market.close_ms)

    def _told(self, market: OpenMarket, payouts: Payouts) -> Payouts:
        strangers = sorted(market.token_ids - payouts.by_token.keys())
        if strangers:
            self.figures.unknown_tokens += 1
            fields = {"condition_id": market.condition_id, "tokens": ", ".join(strangers)[:200]}
            self.finder.warn("tokens", "open orders hold a token that their market does not have", **fields)
        return payouts

    async def _resolutions(self, condition_ids: Sequence[str]) -> dict[str, tuple[int, ...]] | None:
        """Returns what the Data API says, nothing where it has no such word; None to ask again in the next pass."""
        if not condition_ids or self.data_gone:
            return {}
        try:
            return dict(await self.finder.resolutions.payouts(condition_ids))
        except RejectedError as error:
            self.data_gone = True
            self.finder.warn("gone", "no resolutions from the Data API, Gamma alone decides", error=str(error))
        except TransientError as error:
            self.data_failed = True
            self.finder.warn("data", "resolutions not read", error=str(error))
            if self.finder.is_patient:
                return None
        return {}

    async def _keep(self, found: Sequence[Market]) -> None:
        """Stores what Gamma said; settling does not depend on it."""
        try:
            if found:
                await self.finder.markets.upsert(found)
        except (TransientError, RejectedError) as error:
            self.finder.warn("keep", "markets not stored", error=str(error))

    async def _settle(self, payouts: Sequence[Payouts]) -> None:
        if not payouts:
            return
        try:
            settled = await self.finder.settle(payouts)
        except RejectedError as error:
            if len(payouts) == 1:
                self.figures.refused += 1
                fields = {"condition_id": payouts[0].condition_id, "error": str(error)}
                self.finder.warn("refused", "the database refuses a settlement", **fields)
                return
            middle = len(payouts) // 2
            await self._settle(payouts[:middle])
            await self._settle(payouts[middle:])
            return
        self.figures.orders += settled

    def _count_call(self) -> None:
        self.figures.calls += 1


def _stored(one: OpenMarket) -> Payouts | None:
    return None if one.market is None else payouts_of(one.market)
