"""Asks upstreams for prices: Gamma for many markets in one call, the CLOB where Gamma fails, each with its back-off."""

import logging
from collections import Counter
from collections.abc import Sequence

import attrs
import trio

from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from actors.rules.price_merge import merged
from protocols.clock import Random
from protocols.errors import RejectedError, TransientError
from protocols.prices import Found, MarketFacts, MarketKey, PriceFallback, PriceUpstream

_log = logging.getLogger(__name__)
PATIENCE_S = 2.0
"""For one answer. A venue that takes longer does not help somebody who wants a price of the last 3 s."""
FIRST_PAUSE_S = 1.0
PROBE_S = 0.1
"""Wait for a call that finds out whether an upstream is back."""
FALLBACK_AT_ONCE = 8
SUSPICIOUS = 3
"""So many known markets that are all missing in an answer tell of an answer without content, not of their end."""


@attrs.define(eq=False)
class Health:
    """Whether one upstream may be asked: after a failure not for a while, then by one call that finds out."""

    name: str
    backoff: Backoff
    blocked_until_s: float = attrs.field(init=False, default=float("-inf"))
    failures: int = attrs.field(init=False, default=0)
    _probing: bool = attrs.field(init=False, default=False)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def blocked(self, now_s: float) -> bool:
        """Returns whether it is left alone."""
        return self.free_s(now_s) > now_s

    def free_s(self, now_s: float) -> float:
        """Returns when it may be asked; in the past if it may be now."""
        probing = self._probing and self.backoff.failures > 0
        return max(self.blocked_until_s, now_s + PROBE_S if probing else float("-inf"))

    def begins(self) -> None:
        """Says that a call goes out."""
        self._probing = True

    def ended(self) -> None:
        """Says that a call came to its end, whatever that was."""
        self._probing = False

    def answered(self) -> None:
        """Says that it works."""
        self.backoff.reset()
        self.blocked_until_s = float("-inf")

    def failed(self, error: Exception) -> None:
        """Leaves it alone for a pause that grows."""
        pause_s, now_s = self.backoff.next_s(), trio.current_time()
        self.failures += 1
        self.blocked_until_s = max(self.blocked_until_s, now_s + pause_s)
        if self._log_limit.allows("failed", now_s) is not None:
            fields = {"upstream": self.name, "error": str(error), "next_try_s": round(pause_s, 1)}
            _log.warning("no prices from an upstream", extra=fields)


@attrs.define(eq=False)
class Gathered:
    """What one flight has learned so far."""

    markets: dict[str, MarketFacts] = attrs.field(factory=dict)
    absent: set[str] = attrs.field(factory=set)
    """The venue's catalogue answered, and has no such id, slug or token."""
    vanished: set[str] = attrs.field(factory=set)
    """Known markets that nobody has now, though somebody answered."""
    hidden: set[str] = attrs.field(factory=set)
    """Markets that Gamma shows only when it is asked for closed ones."""


@attrs.define(eq=False, kw_only=True)
class PriceDesk:
    """No memory but of how upstreams fare."""

    upstream: PriceUpstream
    fallback: PriceFallback
    rng: Random
    backoff_max_s: float
    gamma: Health = attrs.field(init=False)
    clob: Health = attrs.field(init=False)
    calls: Counter[str] = attrs.field(init=False, factory=Counter)
    strangers: int = attrs.field(init=False, default=0)
    """Markets that came back though they were not asked for, or with other tokens than they had."""

    def __attrs_post_init__(self) -> None:
        self.gamma, self.clob = (
            Health(name, Backoff(first_s=FIRST_PAUSE_S, max_s=self.backoff_max_s, rng=self.rng))
            for name in ("gamma", "clob")
        )

    def blocked_until_s(self, now_s: float) -> float:
        """Returns until when nobody can be asked; not later than `now_s` when somebody can."""
        return max(now_s, min(self.gamma.free_s(now_s), self.clob.free_s(now_s)))

    async def gamma_finds(
        self,
        gathered: Gathered,
        key: MarketKey,
        values: Sequence[str],
        *,
        known: frozenset[str],
        hidden: frozenset[str],
        along: Sequence[str] = (),
    ) -> bool:
        """Asks Gamma; returns whether it answered.

        One call; a second one only for ids that may be hidden because they are closed (venue.md §3.1). `along`: hidden ones
        that are asked for when that call is made anyway.
        """
        if self.gamma.blocked(trio.current_time()):
            return False
        self.gamma.begins()
        try:
            first = await self._find_any(key, [value for value in values if value not in hidden], None)
            rest = [value for value in values if not _has(first, key, value)]
            second = await self._find_any(key, [*rest, *along] if rest else [], True)
            markets = [*first.markets, *second.markets]
            lost = [value for value in rest if value in known and not _has(second, key, value)]
            if len(lost) >= SUSPICIOUS and len(lost) == len(known.intersection(values)):
                raise TransientError("gamma answered without any of the known markets")
        except TransientError as error:
            self.gamma.failed(error)
            return False
        finally:
            self.gamma.ended()
        self.gamma.answered()
        self._gather(gathered, key, [*values, *along], markets)
        gathered.vanished.update(lost)
        gathered.hidden.update(facts.condition_id for facts in second.markets)
        if first.complete and second.complete:
            gathered.absent.update(value for value in rest if value not in known and not _has(second, key, value))
        return True

    async def clob_finds(self, gathered: Gathered, wanted: dict[str, MarketFacts | None]) -> bool:
        """Asks the CLOB for markets, one call each, what is known of them given; returns whether it answered."""
        if self.clob.blocked(trio.current_time()):
            return False
        self.clob.begins()
        slots = trio.CapacityLimiter(FALLBACK_AT_ONCE)
        errors: list[Exception] = []

        async def ask(condition_id: str, known: MarketFacts | None) -> None:
            async with slots:
                if errors:
                    return
                self.calls["clob"] += 1
                try:
                    seen = await self.fallback.market(condition_id)
                except (TransientError, RejectedError) as error:
                    errors.append(error)
                    return
            if seen is not None and seen.condition_id == condition_id and (whole := merged(known, seen)) is not None:
                gathered.markets[condition_id] = whole
                gathered.vanished.discard(condition_id)
            elif known is not None:
                self.strangers += seen is not None
                gathered.vanished.add(condition_id)

        try:
            with trio.move_on_after(PATIENCE_S) as patience:
                async with trio.open_nursery() as nursery:
                    for condition_id, known in wanted.items():
                        nursery.start_soon(ask, condition_id, known)
            if patience.cancelled_caught:
                errors.append(TransientError(f"no answer within {PATIENCE_S:g} s"))
        finally:
            self.clob.ended()
        if errors:
            self.clob.failed(errors[0])
            return False
        self.clob.answered()
        return True

    async def _find(self, key: MarketKey, values: Sequence[str], closed: bool | None) -> Found:
        """Asks within the time that there is; a refusal is narrowed down to the value that is disliked."""
        if not values:
            return Found(markets=())
        self.calls["gamma"] += 1
        try:
            with trio.fail_after(PATIENCE_S):
                return await self.upstream.find(key, values, closed=closed)
        except trio.TooSlowError:
            raise TransientError(f"no answer within {PATIENCE_S:g} s") from None
        except RejectedError:
            if len(values) == 1:
                raise
        return await self._find_by_halves(key, values, closed)

    async def _find_any(self, key: MarketKey, values: Sequence[str], closed: bool | None) -> Found:
        try:
            return await self._find(key, values, closed)
        except RejectedError:
            # The one value of this call: whatever it is, it is no market.
            return Found(markets=())

    async def _find_by_halves(self, key: MarketKey, values: Sequence[str], closed: bool | None) -> Found:
        found: list[MarketFacts] = []
        complete, refusals = True, 0
        middle = len(values) // 2
        for half in (values[:middle], values[middle:]):
            try:
                part = await self._find(key, half, closed)
            except RejectedError as error:
                refusals += 1
                if refusals == 2:
                    # It dislikes more than a value: an upstream that is gone must not cost a call for each of them.
                    raise TransientError(str(error)) from None
                continue
            found.extend(part.markets)
            complete = complete and part.complete
        return Found(markets=found, complete=complete)

    def _gather(self, gathered: Gathered, key: MarketKey, values: Sequence[str], markets: list[MarketFacts]) -> None:
        wanted = set(values)
        for facts in markets:
            if wanted.intersection(_values(facts, key)):
                gathered.markets[facts.condition_id] = facts
            else:
                self.strangers += 1


def _values(facts: MarketFacts, key: MarketKey) -> Sequence[str | None]:
    if key is MarketKey.CONDITION:
        return (facts.condition_id,)
    return (facts.slug,) if key is MarketKey.SLUG else facts.token_ids


def _has(found: Found, key: MarketKey, value: str) -> bool:
    return any(value in _values(facts, key) for facts in found.markets)
