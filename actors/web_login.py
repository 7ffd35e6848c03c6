"""Lets people in with user name and password, or with a login URL, and ends their sessions."""

import logging
from collections import Counter

import attrs
import trio

from actors.login_urls import LoginUrls
from actors.rules.login_throttle import ADDRESS_WAIT_MAX_S, Failures, LoginThrottle
from actors.rules.networks import network_of
from actors.rules.passwords import PASSWORD_BYTES_MAX, password_problem
from actors.session_registry import SessionRegistry
from protocols.clock import Random, WallClock
from protocols.errors import TransientError
from protocols.sessions import (
    ADDRESS_CHARS,
    LOGIN_URL_SESSION_S,
    PASSWORD_SESSION_S,
    USER_AGENT_CHARS,
    HashersBusyError,
    LoginRefusal,
    NewSession,
    PasswordHasher,
    PasswordRow,
    PasswordStore,
    RefusalReason,
    SessionKind,
    SessionStore,
    SetSession,
    WebSession,
    new_secret,
    secret_digest,
)

_log = logging.getLogger(__name__)
USER_NAME_CHARS_MAX = 64
_WRONG = LoginRefusal(reason=RefusalReason.WRONG, message="user name and password do not fit together")


@attrs.define(eq=False, kw_only=True)
class WebLogin:
    """What the pages of login, logout and sessions call. Methods that ask the database raise `TransientError`."""

    sessions: SessionStore
    passwords: PasswordStore
    registry: SessionRegistry
    hasher: PasswordHasher = attrs.field(repr=False)
    urls: LoginUrls = attrs.field(repr=False)
    clock: WallClock
    secret_rng: Random = attrs.field(repr=False)
    """A `random.SystemRandom`: it makes the secrets of sessions."""
    throttle: LoginThrottle = attrs.field(factory=LoginThrottle, repr=False)
    changes: Failures = attrs.field(factory=lambda: Failures(wait_max_s=ADDRESS_WAIT_MAX_S), repr=False)
    """Wrong old passwords by user."""
    results: Counter[str] = attrs.field(init=False, factory=Counter)
    """Logins by result: ok, login_url, wrong, throttled, busy."""

    async def log_in(
        self, user_name: str, password: str, address: str, user_agent: str = ""
    ) -> SetSession | LoginRefusal:
        """Begins a session, always a new one, or says why not. Also raises what the stores raise.

        An unknown or disabled user, one without a password and a wrong password get the same answer after the same work.
        """
        network, name = network_of(address), user_name[: USER_NAME_CHARS_MAX + 1]
        wait_s = self.throttle.begin(network, name, trio.current_time())
        if wait_s:
            return self._refused(_later(RefusalReason.THROTTLED, wait_s), address)
        try:
            row, revision = await self._checked(user_name, password)
        except HashersBusyError as error:
            self.throttle.not_tried(network, name)
            return self._refused(_later(RefusalReason.BUSY, error.retry_after_s), address)
        except TransientError:
            self.throttle.not_tried(network, name)
            raise
        if row is None:
            return self._refused(_WRONG, address)
        made = await self._begin(row.user_id, SessionKind.PASSWORD, address, user_agent, revision=revision)
        if made is None:  # the password was changed, or the user disabled, while this was looked at
            return self._refused(_WRONG, address)
        self.throttle.succeeded(network, name)
        self.results["ok"] += 1
        _log.info("logged in", extra={"user": row.user_name, "address": address[:ADDRESS_CHARS]})
        return made

    async def log_in_once(self, key: str, address: str, user_agent: str = "") -> SetSession | LoginRefusal:
        """Begins a session with the key of a login URL, which is used up by it. Raises what the stores raise."""
        network, now_s = network_of(address), trio.current_time()
        wait_s = self.throttle.addresses.wait_s(network, now_s)
        if wait_s:
            return self._refused(_later(RefusalReason.THROTTLED, wait_s), address)
        self.throttle.addresses.add(network, now_s)
        user_name = self.urls.take(key)
        row = None if user_name is None else await self.passwords.password(user_name)
        made = None
        if row is not None:
            made = await self._begin(row.user_id, SessionKind.LOGIN_URL, address, user_agent, revision=None)
        if made is None:
            return self._refused(
                LoginRefusal(
                    reason=RefusalReason.WRONG, message="this login URL was used already, or its time is over"
                ),
                address,
            )
        self.throttle.addresses.take_back(network)
        self.results["login_url"] += 1
        _log.info("logged in by a login URL", extra={"user": user_name, "address": address[:ADDRESS_CHARS]})
        return made

    async def log_out(self, session_id: str, user_id: str) -> None:
        """Ends a session; it holds no longer in this process even while the database is away."""
        await self.end_session(user_id, session_id)

    async def end_session(self, user_id: str, session_id: str) -> bool:
        """Ends a session of a user; False when there is no such one."""
        if any(one.session_id == session_id for one in self.registry.sessions_of(user_id)):
            self.registry.forget([session_id])
        return await self.sessions.end(session_id, user_id=user_id)

    async def log_out_everywhere(self, user_id: str, *, but: str | None = None) -> int:
        """Ends the sessions of a user, all but one if that is given, and returns how many they were."""
        ended = await self.sessions.end_all(user_id, but=but)
        self.registry.forget(ended)
        return len(ended)

    def sessions_of(self, user_id: str) -> list[WebSession]:
        """Returns the sessions of a user that hold, the one used last first."""
        return self.registry.sessions_of(user_id)

    async def change_password(
        self, user_name: str, old: str | None, new: str, *, session_id: str | None = None
    ) -> LoginRefusal | None:
        """Sets a user's password and ends his other sessions; None when it is done. Raises what the stores raise.

        `old` may be None for a user without a password. Wrong ones are throttled as logins are.
        """
        problem = password_problem(new, user_name)
        if problem is not None:
            return LoginRefusal(reason=RefusalReason.UNFIT, message=problem)
        now_s = trio.current_time()
        wait_s = self.changes.wait_s(user_name, now_s)
        if wait_s:
            return _later(RefusalReason.THROTTLED, wait_s)
        self.changes.add(user_name, now_s)
        try:
            row = await self.passwords.password(user_name)
            if row is None or not await self._may_change(row, old):
                return _WRONG_OLD
            phc = await self.hasher.hash(new)
            ended = await self.passwords.set_password(row.user_id, phc, revision=row.revision, but_session=session_id)
        except HashersBusyError as error:
            self.changes.take_back(user_name)
            return _later(RefusalReason.BUSY, error.retry_after_s)
        except TransientError:
            self.changes.take_back(user_name)
            raise
        if ended is None:
            return _WRONG_OLD
        self.changes.forget(user_name)
        self.registry.forget(ended)
        _log.info("password changed", extra={"user": user_name, "sessions_ended": len(ended)})
        return None

    async def _may_change(self, row: PasswordRow, old: str | None) -> bool:
        if row.phc is None:
            return old is None
        return old is not None and await self.hasher.verify(row.phc, old)

    async def _checked(self, user_name: str, password: str) -> tuple[PasswordRow | None, str | None]:
        """Returns the user if the password is his, with its revision. Does the same work for everybody."""
        row = await self.passwords.password(user_name) if len(user_name) <= USER_NAME_CHARS_MAX else None
        # What is too long to be anybody's costs no more than others.
        is_short = len(password) <= PASSWORD_BYTES_MAX
        phc = None if row is None or row.is_disabled else row.phc
        is_right = await self.hasher.verify(phc, password if is_short else "")
        if row is None or phc is None or row.revision is None or not is_right or not is_short:
            return None, None
        if self.hasher.is_outdated(phc):
            await self.passwords.rehash(row.user_id, await self.hasher.hash(password), revision=row.revision)
        return row, row.revision

    async def _begin(
        self, user_id: str, kind: SessionKind, address: str, user_agent: str, *, revision: str | None
    ) -> SetSession | None:
        secret, now_ms = new_secret(self.secret_rng), self.clock.now_ms()
        lifetime_s = PASSWORD_SESSION_S if kind is SessionKind.PASSWORD else LOGIN_URL_SESSION_S
        new = NewSession(
            digest=secret_digest(secret),
            kind=kind,
            created_at_ms=now_ms,
            expires_at_ms=now_ms + lifetime_s * 1000,
            user_agent=_storable(user_agent, USER_AGENT_CHARS),
            address=_storable(address, ADDRESS_CHARS),
        )
        session = await self.sessions.add(user_id, new, revision=revision)
        if session is None:
            return None
        try:
            await self.registry.refresh()
        except TransientError:
            _log.warning("a new session holds only when sessions can be read again")
        return SetSession(secret=secret, lifetime_s=lifetime_s, session=session)

    def _refused(self, refusal: LoginRefusal, address: str) -> LoginRefusal:
        self.results[refusal.reason.value] += 1
        # Not the name: people type their password into the wrong field.
        _log.warning("login refused", extra={"reason": refusal.reason.value, "address": address[:ADDRESS_CHARS]})
        return refusal


_WRONG_OLD = LoginRefusal(reason=RefusalReason.WRONG, message="the present password is another one")


def _later(reason: RefusalReason, wait_s: float) -> LoginRefusal:
    return LoginRefusal(
        reason=reason, message="too many logins; wait before the next one", retry_after_s=max(1.0, wait_s)
    )


def _storable(text: str, chars_max: int) -> str:
    return "".join(char for char in text if char.isprintable())[:chars_max]
