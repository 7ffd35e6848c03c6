"""A search of the tuner: settings and what they would have done, what a look found and rests on, and the ports for it.

Ratios are 0 to 1, money is micro-USD or exact USD, prices are USD a share, windows are half-open, in epoch milliseconds.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import attrs
import msgspec

from protocols.strategies import StrategySettings


@attrs.frozen(kw_only=True)
class Window:
    """Trades from `since_ms` on and before `until_ms`; what is not over by then has no result."""

    since_ms: int
    until_ms: int


@attrs.frozen(kw_only=True)
class Bet:
    """What a strategy had in one token over a window, all of it over within the window."""

    token_id: str
    day: int
    """UTC day of the first copied trade, counted from the epoch."""
    orders: int
    wins: int
    """Orders that paid more than they cost."""
    staked_micro: int
    """With fees."""
    pnl_micro: int
    held_shares_micro: int
    """Of orders that were held until the market resolved."""
    price: float
    """Paid for a share on average, over all orders: a statistic, not an amount."""


@attrs.frozen(kw_only=True)
class Played:
    """What one set of settings would have done in a window."""

    bets: Sequence[Bet]
    unsettled: int = 0
    """Orders that were not over at the end of the window, and count for nothing."""
    share: float = 1.0
    """Of the window's markets, that were played."""


class Trials(Protocol):
    """These settings → results and days on this window; the real one replays stored trades."""

    def play(self, candidates: Mapping[str, StrategySettings], window: Window) -> Mapping[str, Played]:
        """Returns what each of the candidates would have done: all of them in one pass. Raises `EngineError`."""
        ...


class Struct(msgspec.Struct, rename="camel", kw_only=True):
    """Base of what is kept as JSON: camelCase, as in the API."""


class PartFigures(Struct):
    """What settings came to in one part of the data. Intervals hold 95 of 100 times."""

    orders: int
    wins: int
    days: int
    """With a result."""
    unsettled: int
    staked_usd: Decimal
    pnl_usd: Decimal
    roi: float | None
    """Profit of a USD at stake; None without orders."""
    roi_low: float | None
    roi_high: float | None
    win_rate: float | None
    win_rate_low: float | None
    win_rate_high: float | None


class Gain(Struct):
    """How much better one set of settings did than another on the same trades."""

    roi: float
    """Difference of the two returns."""
    roi_low: float
    roi_high: float
    standard_error: float
    t: float
    p: float
    """One-sided: how often chance does as well when there is no difference."""


class PartEvidence(Struct):
    """One part of the data, before and after the change."""

    since: datetime
    until: datetime
    market_share: float
    """Of the markets: those of all would have taken too long."""
    before: PartFigures
    after: PartFigures | None
    """None where no candidate came so far."""
    gain: Gain | None


class Evidence(Struct):
    """Everything that a look at a strategy rests on; enough to make it again."""

    seed: int
    code_version: str
    searched: list[str]
    """Names of the settings that were varied."""
    tries: int
    """Sets of settings played on the training part, besides the present one."""
    luck: float
    """p that the best of so many tries shows on average when none is any good; the training part has to show less."""
    looks: int
    """Candidates that have been held against some of this validation part, with this one."""
    level: float
    """What `p` on the validation part has to stay below: the level of the configuration divided by `looks`."""
    train: PartEvidence
    validation: PartEvidence | None
    """None where no candidate was good enough to look at it."""


class Finding(Struct):
    """What a search of one strategy came to."""

    wallet_id: str
    version: int
    """Of the strategy, that the search began with."""
    text: str
    """For people: what was found, or why nothing is proposed."""
    before: dict[str, Any]
    after: dict[str, Any]
    """Settings as documents have them; both empty when nothing is proposed."""
    evidence: Evidence | None
    """None when nothing was searched, for the reason that is said."""


@attrs.frozen(kw_only=True)
class Subject:
    """A strategy whose turn it is."""

    wallet_id: str
    version: int
    looks: int
    """Looks at validation parts that overlap the next one."""


@attrs.frozen(kw_only=True)
class SearchOrder:
    """What the side process is asked for."""

    subjects: Sequence[Subject]
    now_ms: int
    """The search ends with the last whole UTC day before."""


class TunerSearch(Protocol):
    """Searches, elsewhere."""

    def installed(self) -> bool:
        """Returns whether the optional libraries are there."""
        ...

    async def search(self, order: SearchOrder) -> list[Finding]:
        """Returns a finding for each subject. Raises `TransientError` when the search failed."""
        ...
