"""The tuner: what it searches with, what it finds, what it proposes, and the ports between search, job and database.

A proposal changes at most three settings of one strategy that is under the tuner's care (`agent_managed`). Ratios are 0 to 1,
money is integer micro-USD, prices are USD a share, windows are half-open and in epoch milliseconds.
"""

import enum
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

import attrs
import msgspec

from protocols.jobs import JobLease
from protocols.strategies import StrategySettings

PARAMETERS_MAX = 3
"""Settings that one proposal may change (domain.md §7.7)."""
COOL_DOWN_DAYS = 7
"""Between two changes of one strategy, and before it is asked about again (domain.md §7.7)."""
TUNER = "tuner"
"""Who decides when no person does."""


class ProposalKind(enum.StrEnum):
    """What a proposal is for."""

    CHANGE = "change"
    ROLLBACK = "rollback"
    """Back to what was before one that degraded, where that is not done without asking."""


class ProposalStatus(enum.StrEnum):
    """How a proposal stands. The first two are not the end."""

    WAITING = "WAITING"
    APPLIED = "APPLIED"
    """Under evaluation, but for a rollback."""
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    REFUSED = "REFUSED"
    """The strategy had changed, or left the tuner's care, when it was to be applied."""
    IMPROVED = "IMPROVED"
    NEUTRAL = "NEUTRAL"
    DEGRADED = "DEGRADED"
    """And not rolled back, for the reason that is said."""
    ROLLED_BACK = "ROLLED_BACK"


class NoteKind(enum.StrEnum):
    """What a note says."""

    OBSERVATION = "observation"
    """What a look at a strategy came to."""
    HYPOTHESIS = "hypothesis"
    """What a proposal expects; its outcome is the proposal's."""


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


@attrs.frozen(kw_only=True)
class Proposal:
    """One proposal as it is kept."""

    proposal_id: int
    kind: ProposalKind
    wallet_id: str
    owner_id: str
    owner_name: str
    version: int
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    status: ProposalStatus
    reason: str | None
    """Why it was rejected, refused or not rolled back; what the evaluation found."""
    evidence: Mapping[str, Any]
    created_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    applied_version: int | None
    applied_at: datetime | None
    evaluation: Mapping[str, Any] | None
    ended_at: datetime | None
    mirrored: bool
    """A live strategy copies with this one's settings now: it is not changed without a person."""
    applies_itself: bool
    """The strategy lets the tuner apply proposals."""


@attrs.frozen(kw_only=True)
class Note:
    """One note as it is kept."""

    note_id: int
    wallet_id: str
    day: date
    kind: NoteKind
    text: str
    figures: Mapping[str, Any]
    proposal_id: int | None
    outcome: str | None
    """Of a hypothesis: a `ProposalStatus` once it is decided."""
    created_at: datetime
    outcome_at: datetime | None


@attrs.frozen(kw_only=True)
class TunerCounts:
    """What stands where, for the metrics."""

    waiting: int
    evaluating: int
    managed: int
    """Strategies under the tuner's care."""


class TunerJobStore(Protocol):
    """What the job needs of the database. Times are the database's. Raises `TransientError`, writes `FencedError`."""

    async def expire(self, lease: JobLease) -> int:
        """Ends proposals that nobody decided in time, and returns how many."""
        ...

    async def due_evaluations(self) -> list[int]:
        """Returns ids of proposals that were applied at least a day ago and have no outcome."""
        ...

    async def evaluate(self, lease: JobLease, proposal_id: int) -> ProposalStatus | None:
        """Decides the outcome of one, rolls back what degraded, and returns it; None while there are too few orders."""
        ...

    async def self_applicable(self) -> list[int]:
        """Returns ids of waiting proposals of strategies that let the tuner apply them and that no live strategy mirrors."""
        ...

    async def apply(self, lease: JobLease, proposal_id: int) -> ProposalStatus | None:
        """Applies one in the tuner's own name; returns APPLIED or REFUSED, None when a person has to decide it."""
        ...

    async def subjects(self) -> SearchOrder:
        """Returns the strategies whose turn it is, and the time."""
        ...

    async def record(self, lease: JobLease, finding: Finding) -> int | None:
        """Keeps what a look found, once a day and strategy; returns the id of the proposal that it made."""
        ...

    async def prune(self, lease: JobLease, *, rows_max: int) -> int:
        """Deletes some of what is too old, and returns how many rows."""
        ...

    async def counts(self) -> TunerCounts:
        """Returns what stands where."""
        ...
