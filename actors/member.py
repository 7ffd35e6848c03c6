"""Says that this engine is alive, and learns which others are."""

import logging
from collections.abc import Callable, Sequence

import attrs
import trio

from actors.rules.api_shares import CUT_OFF, CUT_OFF_S
from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from protocols.clock import Random
from protocols.cluster import (
    Allowances,
    Api,
    Beat,
    BeatAnswer,
    ClusterView,
    Member,
    MemberReport,
    MemberStore,
    Role,
    Shares,
)
from protocols.errors import TransientError

_log = logging.getLogger(__name__)
MARGIN_RATIO = 0.1
"""An engine stops counting on itself this part of the time before the others do."""
LOOK_S = 0.25
TELL_S = 0.1
LEAVE_S = 2.0


@attrs.define(eq=False, kw_only=True)
class ClusterMember:
    """report → members of the cluster, shares of what the venue allows.

    The database's clock decides who is alive. This side only measures how long ago it asked: what it was told holds from the
    moment before it asked, so it never relies on an answer for longer than the others rely on it. Without the database the last
    view is kept for nine tenths of the lease time; then this engine counts itself out: it is in no view, and uses the small
    share that the others leave to engines that are cut off.
    """

    member_id: str
    working: Callable[[], frozenset[Role]]
    """What this engine does now; looked at often."""
    report: Callable[[], MemberReport]
    store: MemberStore
    allowances: Allowances | None
    """None: nothing is divided, since no other engine can be there."""
    ttl_s: float
    rng: Random
    beats: int = attrs.field(init=False, default=0)
    failures: int = attrs.field(init=False, default=0)
    _view: ClusterView = attrs.field(init=False)
    _good_until_s: float = attrs.field(init=False, default=float("-inf"))
    _seen_s: float | None = attrs.field(init=False, default=None)
    _granted: Shares = attrs.field(init=False, factory=dict)
    _told: frozenset[Role] = attrs.field(init=False, factory=frozenset)
    _gives: bool = attrs.field(init=False, default=False)
    """The last answer was less than what had been used."""
    _is_out: bool = attrs.field(init=False, default=True)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def __attrs_post_init__(self) -> None:
        self._view = ClusterView(member_id=self.member_id)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Beats until cancelled, then says good-bye. It has started once the first beat was answered, or failed."""
        backoff = Backoff(first_s=0.2, max_s=max(0.2, self.ttl_s / 6), rng=self.rng)
        started = False
        # Nothing is asked of the venue before it is known what may be.
        self._stop_asking()
        try:
            while True:
                try:
                    await self._beat()
                    backoff.reset()
                    # What is given up is free for others once they are told that it is.
                    pause_s = TELL_S if self._gives else self.ttl_s / 3
                except TransientError as error:
                    self.failures += 1
                    pause_s = backoff.next_s()
                    if self._log_limit.allows("store", trio.current_time()) is not None:
                        _log.warning("the cluster does not hear from this engine", extra={"error": str(error)})
                if not started:
                    started = True
                    task_status.started()
                await self._pause(pause_s)
        finally:
            with trio.move_on_after(LEAVE_S, shield=True):
                await self._leave()

    def view(self) -> ClusterView:
        """Returns the members as last seen, or none when that is too long ago."""
        return self.view_at(trio.current_time())

    def view_at(self, now_s: float) -> ClusterView:
        """Returns the same at a monotonic time; for a thread, which has no clock."""
        if now_s < self._good_until_s:
            return self._view
        if not self._is_out and self._seen_s is not None:
            self._is_out = True
            _log.error("this engine counts itself out: no answer of the database for too long")
        return attrs.evolve(self._view, members=(), version=-1)

    def seen_age_s(self, now_s: float) -> float | None:
        """Returns how long ago the cluster heard of this engine last; None before the first time."""
        return None if self._seen_s is None else max(0.0, now_s - self._seen_s)

    async def _beat(self) -> None:
        """Beats once. Raises `TransientError` with the database."""
        asked_s = trio.current_time()
        self.beats += 1
        report = self.report()
        self._told = report.working
        divides, using = self.allowances is not None, self._using(asked_s)
        beat = Beat(report=report, number=self.beats, using=using, ttl_s=self.ttl_s, divides=divides)
        answer = await self._asked(beat)
        self._seen_s = asked_s
        self._good_until_s = asked_s + self.ttl_s * (1 - MARGIN_RATIO)
        self._learn(answer.members)
        self._gives = any(answer.granted.get(api, 0) < beat.using.get(api, 0) for api in Api)
        self._granted = answer.granted if self.allowances is not None else {}
        if self.allowances is not None:
            self.allowances.grant(
                self._granted,
                until_s=self._good_until_s,
                cut_off={api: min(CUT_OFF, share) for api, share in self._granted.items()},
                cut_off_until_s=self._good_until_s + CUT_OFF_S,
            )

    def _using(self, now_s: float) -> Shares:
        """Returns what this process may use at a moment without another answer; never less than what it does use."""
        if now_s < self._good_until_s:
            return self._granted
        return {api: min(CUT_OFF, share) for api, share in self._granted.items()}

    async def _asked(self, beat: Beat) -> BeatAnswer:
        with trio.move_on_after(self.ttl_s / 3):
            return await self.store.beat(beat)
        raise TransientError("no answer in time")

    def _learn(self, members: Sequence[Member]) -> None:
        live = tuple(one for one in members if one.is_live)
        lost = len([one for one in members if not one.is_live and not one.has_left])
        before = {one.report.member_id: one.report.working for one in self._view.members}
        now = {one.report.member_id: one.report.working for one in live}
        version = self._view.version + (before != now)
        self._tell(self._view.members, live)
        self._view = ClusterView(member_id=self.member_id, members=live, lost=lost, version=version)
        self._is_out = False

    def _tell(self, before: Sequence[Member], now: Sequence[Member]) -> None:
        known, there = ({one.report.member_id: one.report for one in some} for some in (before, now))
        for member_id in there.keys() - known.keys():
            if member_id != self.member_id:
                _log.info("an engine is there", extra=_fields(there[member_id]))
        for member_id in known.keys() - there.keys():
            _log.warning("an engine is gone", extra=_fields(known[member_id]))

    async def _pause(self, pause_s: float) -> None:
        """Waits for the next beat; a change of what this engine does is told at once."""
        end_s = trio.current_time() + pause_s
        while (left_s := end_s - trio.current_time()) > 0 and self.working() == self._told:  # noqa: ASYNC110 - of no actor's
            await trio.sleep(min(LOOK_S, left_s))

    def _stop_asking(self) -> None:
        if self.allowances is not None:
            now_s = trio.current_time()
            self.allowances.grant({}, until_s=now_s, cut_off={}, cut_off_until_s=now_s)

    async def _leave(self) -> None:
        self._good_until_s, self._granted = float("-inf"), {}
        # Before the others may have it.
        self._stop_asking()
        try:
            await self.store.leave(self.member_id)
        except TransientError as error:
            _log.debug("no good-bye, the others will notice", extra={"error": str(error)})


def _fields(report: MemberReport) -> dict[str, str]:
    roles = ", ".join(sorted(report.roles))
    return {"member": report.holder, "roles": roles, "version": report.version, "address": report.address}
