"""Keeps the last good table of browser sessions, so that a request costs a look-up and no query."""

import logging
from collections.abc import Iterable

import attrs
import trio

from actors.following import keep_current
from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from protocols.clock import Random, WallClock
from protocols.errors import TransientError
from protocols.sessions import IDLE_S, SessionKind, SessionStore, WebSession
from protocols.users import Principal, Scope

_log = logging.getLogger(__name__)
SEEN_STEP_MS = 60_000
"""A session that is used all the time is written down so often."""
REREAD_S = 3_600.0
"""Reads again even without a change: another engine may have seen a session that this one holds for idle."""


@attrs.frozen(kw_only=True)
class _Held:
    session: WebSession
    principal: Principal


@attrs.define(eq=False, kw_only=True)
class SessionRegistry:
    """sessions, users → a table from digest to session and principal.

    As with tokens, a change by another process holds within `poll_s` and the time of one reading, one by this process at once.
    When a session was used last is kept in memory and written down by the way.
    """

    store: SessionStore
    clock: WallClock
    rng: Random
    is_money_real: bool
    """This engine may trade live: sessions of login URLs give nothing but reading."""
    poll_s: float = 1.0
    refreshes: int = attrs.field(init=False, default=0)
    failures: int = attrs.field(init=False, default=0)
    _table: dict[bytes, _Held] = attrs.field(init=False, factory=dict, repr=False)
    _version: int = attrs.field(init=False, default=-1)
    _ended: set[str] = attrs.field(init=False, factory=set)
    _seen_ms: dict[str, int] = attrs.field(init=False, factory=dict)
    """When sessions were used last, as far as it is not in the table."""
    _unwritten: set[str] = attrs.field(init=False, factory=set)
    _read_at_s: float = attrs.field(init=False, default=float("-inf"))
    _reading: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def __len__(self) -> int:
        return len(self._table)

    def find(self, digest: bytes) -> Principal | None:
        """Returns whose session has a secret with this SHA-256, and counts it as used; None when it holds no longer."""
        held = self._table.get(digest)
        if held is None:
            return None
        session, now_ms = held.session, self.clock.now_ms()
        seen_ms = self._seen_ms.get(session.session_id, session.last_seen_at_ms)
        if now_ms >= session.expires_at_ms or now_ms >= seen_ms + IDLE_S * 1000:
            return None
        if now_ms >= seen_ms + SEEN_STEP_MS:
            self._seen_ms[session.session_id] = now_ms
            self._unwritten.add(session.session_id)
        return held.principal

    def sessions_of(self, user_id: str) -> list[WebSession]:
        """Returns the sessions of a user that hold, the one used last first."""
        now_ms = self.clock.now_ms()
        found = [self._as_seen(held.session) for held in self._table.values() if held.session.user_id == user_id]
        held = [one for one in found if now_ms < min(one.expires_at_ms, one.last_seen_at_ms + IDLE_S * 1000)]
        return sorted(held, key=lambda one: (-one.last_seen_at_ms, one.session_id))

    def forget(self, session_ids: Iterable[str]) -> None:
        """Drops sessions that have ended, at once, whatever a reading that is under way still brings."""
        self._ended.update(session_ids)
        self._table = {digest: one for digest, one in self._table.items() if one.session.session_id not in self._ended}

    def forget_user(self, user_id: str) -> None:
        """Drops all sessions of a user who was disabled."""
        self.forget([held.session.session_id for held in self._table.values() if held.session.user_id == user_id])

    async def refresh(self) -> None:
        """Reads the table now. Raises `TransientError`; the last good table stays then."""
        async with self._reading:
            await self._read()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reads the table, says that it started, and follows its version until cancelled."""
        # No longer than the poll: when the database is back, what ended there has to hold as soon as ever.
        backoff = Backoff(first_s=self.poll_s / 2, max_s=self.poll_s, rng=self.rng)
        await keep_current(
            self._follow,
            pause=self._pause,
            backoff=backoff,
            failed=self._failed,
            task_status=task_status,
        )

    async def _pause(self) -> None:
        await trio.sleep(self.poll_s)

    async def _follow(self) -> None:
        async with self._reading:
            is_old = trio.current_time() >= self._read_at_s + REREAD_S
            if is_old or await self.store.version() != self._version:
                await self._read()
        await self._write_seen()

    async def _write_seen(self) -> None:
        """Writes down what was used since; what cannot be written now is tried again with the next."""
        at_ms = {one: self._seen_ms[one] for one in sorted(self._unwritten)}
        if at_ms:
            await self.store.seen(at_ms)
            self._unwritten = {one for one in self._unwritten if self._seen_ms.get(one) != at_ms.get(one)}

    def _failed(self, error: TransientError) -> None:
        self.failures += 1
        if self._log_limit.allows("refresh", trio.current_time()) is not None:
            _log.warning("sessions not refreshed, the last good ones stay", extra={"error": str(error)})

    async def _read(self) -> None:
        ended_before = frozenset(self._ended)
        found = await self.store.sessions()
        self._ended -= ended_before  # what had ended before the reading began is not in what it found
        self._table = {
            session.digest: _Held(session=session, principal=self._principal(session))
            for session in found.sessions
            if session.session_id not in self._ended
        }
        ids = {held.session.session_id for held in self._table.values()}
        self._seen_ms = {one: at_ms for one, at_ms in self._seen_ms.items() if one in ids}
        self._unwritten &= ids
        self._version, self._read_at_s = found.version, trio.current_time()
        self.refreshes += 1

    def _as_seen(self, session: WebSession) -> WebSession:
        seen_ms = self._seen_ms.get(session.session_id, 0)
        return attrs.evolve(session, last_seen_at_ms=max(seen_ms, session.last_seen_at_ms))

    def _principal(self, session: WebSession) -> Principal:
        scopes = session_scopes(session, is_money_real=self.is_money_real)
        is_lasting = session.kind is SessionKind.PASSWORD
        return Principal(
            user_id=session.user_id,
            user_name=session.user_name,
            token_id=f"session-{session.session_id}",
            scopes=scopes,
            # Who has said his password may make tokens that last.
            expires_at_ms=None if is_lasting else session.expires_at_ms,
            session_id=session.session_id,
            is_login_free=not is_lasting,
        )


def session_scopes(session: WebSession, *, is_money_real: bool) -> frozenset[Scope]:
    """Returns what a session may do: reading and trading, for administrators everything.

    A session that no password began only reads where money is real: an administrator's scope lifts halts and makes users.
    """
    if is_money_real and session.kind is not SessionKind.PASSWORD:
        return frozenset({Scope.READ})
    return frozenset(Scope) if session.is_admin else frozenset({Scope.READ, Scope.TRADE})
