"""Stores of sessions and passwords in memory, and a hasher that counts its work."""

import itertools

import attrs
import trio

from protocols.errors import TransientError
from protocols.sessions import HashersBusyError, PasswordRow, SessionKind, SessionTable, WebSession, secret_digest

NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000


@attrs.define
class SetClock:
    """Goes with trio's clock."""

    began_ms: int = NOW_MS

    def now_ms(self):
        return self.began_ms + int(trio.current_time() * 1000)


@attrs.define
class PlainClock:
    at_ms: int = NOW_MS

    def now_ms(self):
        return self.at_ms


def session(name, *, user_id="u-ann", at_ms=NOW_MS, days=30, kind=SessionKind.PASSWORD, is_admin=False):
    return WebSession(
        session_id=name, user_id=user_id, user_name=user_id.removeprefix("u-"), is_admin=is_admin, digest=secret_digest(name),
        kind=kind, created_at_ms=at_ms, last_seen_at_ms=at_ms, expires_at_ms=at_ms + days * DAY_MS, user_agent="", address="",
    )  # fmt: skip


@attrs.define
class MemorySessions:
    """The `SessionStore` of several engines."""

    rows: dict = attrs.field(factory=dict)
    number: int = 1
    down: bool = False
    reads: int = 0
    disabled: set = attrs.field(factory=set)
    revisions: dict = attrs.field(factory=dict)
    hold: trio.Event | None = None
    seen_calls: list = attrs.field(factory=list)
    ids: object = attrs.field(factory=itertools.count)

    def put(self, *sessions):
        self.rows.update({one.session_id: one for one in sessions})
        self.number += 1

    async def _there(self):
        await trio.lowlevel.checkpoint()
        if self.down:
            raise TransientError("down")

    async def version(self):
        await self._there()
        return self.number

    async def sessions(self):
        await self._there()
        found = [one for one in self.rows.values() if one.user_id not in self.disabled]
        table = SessionTable(version=self.number, sessions=found)
        self.reads += 1
        if self.hold is not None:
            await self.hold.wait()
        return table

    async def add(self, user_id, new, *, revision):
        await self._there()
        if user_id in self.disabled or (revision is not None and self.revisions.get(user_id) != revision):
            return None
        fields = attrs.asdict(new)
        made = WebSession(
            session_id=f"s{next(self.ids)}", user_id=user_id, user_name=user_id.removeprefix("u-"), is_admin=False,
            last_seen_at_ms=new.created_at_ms, **{**fields, "kind": new.kind},
        )  # fmt: skip
        self.put(made)
        return made

    async def seen(self, at_ms):
        await self._there()
        self.seen_calls.append(dict(at_ms))
        for name, at in at_ms.items():
            if name in self.rows:
                self.rows[name] = attrs.evolve(self.rows[name], last_seen_at_ms=at)

    async def end(self, session_id, *, user_id):
        await self._there()
        one = self.rows.get(session_id)
        if one is None or one.user_id != user_id:
            return False
        del self.rows[session_id]
        self.number += 1
        return True

    async def end_all(self, user_id, *, but=None):
        await self._there()
        ended = [one.session_id for one in self.rows.values() if one.user_id == user_id and one.session_id != but]
        for name in ended:
            del self.rows[name]
        self.number += 1
        return ended


@attrs.define
class MemoryPasswords:
    """The `PasswordStore` beside it."""

    sessions: MemorySessions
    rows: dict = attrs.field(factory=dict)
    rehashed: list = attrs.field(factory=list)

    def user(self, name, phc=None):
        self.rows[name] = PasswordRow(
            user_id=f"u-{name}", user_name=name, is_disabled=False, phc=phc, revision=phc and "r0"
        )
        self.sessions.revisions[f"u-{name}"] = phc and "r0"

    async def password(self, user_name):
        await self.sessions._there()
        row = self.rows.get(user_name)
        return None if row is None else attrs.evolve(row, is_disabled=row.user_id in self.sessions.disabled)

    async def set_password(self, user_id, phc, *, revision, but_session=None):
        name = user_id.removeprefix("u-")
        row = self.rows[name]
        if row.revision != revision:
            return None
        self.rows[name] = attrs.evolve(row, phc=phc, revision=f"{revision}+")
        self.sessions.revisions[user_id] = f"{revision}+"
        return await self.sessions.end_all(user_id, but=but_session)

    async def rehash(self, user_id, phc, *, revision):
        self.rehashed.append((user_id, phc, revision))


@attrs.define
class CountingHasher:
    """`#password` is the hash of a password, `old#password` one of older days."""

    work: list = attrs.field(factory=list)
    busy: bool = False
    during: object = None

    async def hash(self, password):
        await self._work("hash")
        return f"#{password}"

    async def verify(self, phc, password):
        await self._work("verify")
        return phc is not None and phc.removeprefix("old") == f"#{password}"

    def is_outdated(self, phc):
        return phc.startswith("old")

    async def _work(self, what):
        if self.busy:
            raise HashersBusyError("busy")
        self.work.append(what)
        await trio.sleep(0.1)
        if self.during is not None:
            await self.during()
