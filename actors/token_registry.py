"""Keeps the last good table of tokens, so that checking one costs a look-up."""

import logging
from collections.abc import Iterable

import attrs
import trio

from actors.following import keep_current
from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from config.secrets import Secret
from protocols.clock import Random, WallClock
from protocols.errors import TransientError
from protocols.users import ADMIN_NAME, Principal, Scope, TokenStore, token_digest

_log = logging.getLogger(__name__)
BOOTSTRAP_ID = "bootstrap"
BOOTSTRAP_CHARS_MIN = 24


@attrs.define(eq=False, kw_only=True)
class TokenRegistry:
    """tokens, users → a table from digest to principal.

    A change by another process holds within `poll_s` and the time of one reading; a change by this process holds as soon as
    `refresh` or `forget` returns. While the database is down the last good table stays.
    """

    store: TokenStore
    clock: WallClock
    rng: Random
    bootstrap: Secret | None = None
    """A token of the user `admin` with every scope, always valid (`http.admin_token`)."""
    poll_s: float = 1.0
    refreshes: int = attrs.field(init=False, default=0)
    failures: int = attrs.field(init=False, default=0)
    _table: dict[bytes, Principal] = attrs.field(init=False, factory=dict, repr=False)
    _version: int = attrs.field(init=False, default=-1)
    _revoked: set[str] = attrs.field(init=False, factory=set)
    _reading: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def find(self, digest: bytes) -> Principal | None:
        """Returns whose token has this SHA-256, or None when there is none or its time is over; never waits."""
        principal = self._table.get(digest)
        if principal is None or principal.expires_at_ms is None or principal.expires_at_ms > self.clock.now_ms():
            return principal
        return None

    def forget(self, token_ids: Iterable[str]) -> None:
        """Drops tokens that were revoked, at once, whatever a reading that is under way still brings."""
        self._revoked.update(token_ids)
        self._table = self._without_revoked(self._table)

    def forget_user(self, user_id: str) -> None:
        """Drops all tokens of a user who was disabled, except the bootstrap token."""
        held = {principal.token_id for principal in self._table.values() if principal.user_id == user_id}
        self.forget(held - {BOOTSTRAP_ID})

    async def refresh(self) -> None:
        """Reads the table now. Raises `TransientError`; the last good table stays then."""
        async with self._reading:
            await self._read()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reads the table, says that it started, and follows its version until cancelled."""
        if self.bootstrap is not None and len(self.bootstrap.reveal()) < BOOTSTRAP_CHARS_MIN:
            _log.warning("http.admin_token is short enough to be guessed", extra={"chars_min": BOOTSTRAP_CHARS_MIN})
        # No longer than the poll: when the database is back, what was revoked there has to hold as soon as ever.
        backoff = Backoff(first_s=self.poll_s / 2, max_s=self.poll_s, rng=self.rng)
        await keep_current(
            self._refresh_if_changed,
            pause=self._pause,
            backoff=backoff,
            failed=self._failed,
            task_status=task_status,
        )

    async def _pause(self) -> None:
        await trio.sleep(self.poll_s)

    async def _refresh_if_changed(self) -> None:
        async with self._reading:
            if await self.store.version() != self._version:
                await self._read()

    def _failed(self, error: TransientError) -> None:
        self.failures += 1
        if self._log_limit.allows("refresh", trio.current_time()) is not None:
            _log.warning("tokens not refreshed, the last good ones stay", extra={"error": str(error)})

    async def _read(self) -> None:
        revoked_before = frozenset(self._revoked)
        found = await self.store.valid_tokens()
        self._revoked -= revoked_before  # what was revoked before the reading began is not in what it found
        table = self._without_revoked({token.digest: token.principal for token in found.tokens})
        bootstrap = self.bootstrap.reveal().encode() if self.bootstrap is not None else b""
        if bootstrap and found.admin_id is not None:
            table[token_digest(bootstrap)] = Principal(
                user_id=found.admin_id, user_name=ADMIN_NAME, token_id=BOOTSTRAP_ID, scopes=frozenset(Scope)
            )
        self._table, self._version = table, found.version
        self.refreshes += 1
        _log.debug("tokens read", extra={"version": found.version, "tokens": len(table)})

    def _without_revoked(self, table: dict[bytes, Principal]) -> dict[bytes, Principal]:
        return {digest: one for digest, one in table.items() if one.token_id not in self._revoked}
